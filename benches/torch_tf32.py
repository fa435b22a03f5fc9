#!/usr/bin/env python3
"""How far PyTorch's TF32 is from its own f64: largest relative distance of the logits and of each gradient.

Random BERT models of the sizes that tests/cuda.rs compares eigenscope's engine on, with weights as large as there, 8 rows of
64 tokens. A gradient counts as at least a tenth of the norm of all, as there.

    python3 torch_tf32.py

Needs torch with CUDA and transformers; downloads nothing.
"""
import math

import torch
from transformers import BertConfig, BertForSequenceClassification

SHAPES = [(2, 32), (4, 16), (3, 24), (1, 64), (2, 40), (12, 64), (16, 64), (4, 80), (5, 8)]  # heads, size of each
COMPARED = ("query.weight", "value.weight", "pooler", "classifier")


def model(heads, size, layers):
    n = heads * size
    built = BertForSequenceClassification(BertConfig(
        vocab_size=60, hidden_size=n, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=2 * n,
        max_position_embeddings=160, num_labels=2, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
        attn_implementation="eager")).double()
    for name, p in built.named_parameters():
        std = 1 / math.sqrt(n) if p.dim() == 2 and "embeddings" not in name else 0.3
        centre = 1.0 if "LayerNorm.weight" in name else 0.0
        p.data = (torch.randn_like(p) * std + centre).float().double()
    return built


def results(built, ids, labels):
    built.zero_grad(set_to_none=True)
    out = built(input_ids=ids, labels=labels)
    out.loss.backward()
    found = {"logits": out.logits.detach()}
    found |= {k: p.grad for k, p in built.named_parameters() if any(part in k for part in COMPARED)}
    return {k: v.double().cpu().clone() for k, v in found.items()}


torch.backends.cuda.matmul.allow_tf32 = True
for i, (heads, size) in enumerate(SHAPES):
    torch.manual_seed(i)
    built = model(heads, size, 1 + i % 2)
    ids, labels = torch.randint(2, 60, (8, 64)), torch.randint(0, 2, (8,))
    exact = results(built, ids, labels)
    found = results(built.float().cuda(), ids.cuda(), labels.cuda())
    whole = math.sqrt(sum(g.norm().item() ** 2 for k, g in exact.items() if k != "logits"))
    floor = lambda k: 0.1 if k == "logits" else 0.1 * whole
    far = {k: ((exact[k] - found[k]).norm() / max(exact[k].norm().item(), floor(k))).item() for k in exact}
    worst = max(far, key=far.get)
    print(f"{heads} x {size}: {far[worst]:.2e} ({worst})", flush=True)
