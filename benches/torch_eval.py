#!/usr/bin/env python3
"""Time of PyTorch on the CPU for `eigenscope eval`: SST-2 rows through a saved adapter, sorted by length, padded to the longest of
each batch. One JSON line; --out writes the logits in the rows' order.

    python3 torch_eval.py MODEL_DIR ADAPTER.safetensors ROWS.tsv [--batch 32] [--threads 2] [--out logits.json]

Needs torch (a CPU build), transformers, safetensors, tokenizers.
"""
import argparse, json, os, time
import torch
from torch import nn
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import RobertaConfig, RobertaForSequenceClassification

ap = argparse.ArgumentParser()
ap.add_argument("model"); ap.add_argument("adapter"); ap.add_argument("rows"); ap.add_argument("--batch", type=int, default=32)
ap.add_argument("--threads", type=int, default=2); ap.add_argument("--out")
a = ap.parse_args()
torch.set_num_threads(a.threads)


class Adapted(nn.Module):
    """A frozen matrix with its SymLoRA or LoRA tensors `p` and the scale alpha / r."""

    def __init__(self, base, p, scale):
        super().__init__(); self.base, self.p, self.scale = base, p, scale

    def forward(self, x):
        if "symlora_Q" in self.p:
            q = self.p["symlora_Q"]
            kept = self.p["symlora_lambda"] * nn.functional.linear(x, self.base.weight) + self.base.bias
            return kept + self.scale * ((x @ q) * self.p["symlora_L"]) @ q.T
        return self.base(x) + self.scale * (x @ self.p["lora_A.weight"].T) @ self.p["lora_B.weight"].T


def tensors(path):
    with safe_open(path, "pt") as f:
        return {k: f.get_tensor(k).float() for k in f.keys()}, f.metadata() or {}


config = json.load(open(os.path.join(a.model, "config.json")))
config = RobertaConfig(**{k: v for k, v in config.items() if k not in ("torch_dtype", "architectures")}, num_labels=2)
model = RobertaForSequenceClassification(config).float()
model.load_state_dict(tensors(os.path.join(a.model, "model.safetensors"))[0], strict=False)
adapter, about = tensors(a.adapter)
model.load_state_dict({k: v for k, v in adapter.items() if k.startswith("classifier")}, strict=False)
for i, layer in enumerate(model.roberta.encoder.layer):
    for target in about["targets"].split(","):
        path = f"roberta.encoder.layer.{i}.attention.self.{target}."
        own = {k[len(path):]: v for k, v in adapter.items() if k.startswith(path)}
        base = getattr(layer.attention.self, target)
        setattr(layer.attention.self, target, Adapted(base, own, float(about["alpha"]) / float(about["r"])))
model.eval()
tokenizer = Tokenizer.from_file(os.path.join(a.model, "tokenizer.json"))
tokenizer.no_padding(); tokenizer.enable_truncation(int(about["max_length"]))

begun = time.perf_counter()
lines = [line.split("\t") for line in open(a.rows, encoding="utf-8").read().splitlines()[1:]]
ids = [e.ids for e in tokenizer.encode_batch([line[0] for line in lines])]
order, logits, pad = sorted(range(len(ids)), key=lambda i: len(ids[i])), [None] * len(ids), config.pad_token_id
with torch.inference_mode():
    for start in range(0, len(order), a.batch):
        rows = order[start:start + a.batch]
        width = max(len(ids[i]) for i in rows)
        x = torch.tensor([ids[i] + [pad] * (width - len(ids[i])) for i in rows])
        for i, values in zip(rows, model(input_ids=x, attention_mask=(x != pad).long()).logits.tolist()):
            logits[i] = values
seconds = time.perf_counter() - begun
right = sum((v[1] > v[0]) == (line[1] == "1") for v, line in zip(logits, lines))
print(json.dumps(dict(batch=a.batch, rows=len(lines), accuracy=right / len(lines), seconds=round(seconds, 2))))
if a.out:
    json.dump(logits, open(a.out, "w"))
