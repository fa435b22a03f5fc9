#!/usr/bin/env python3
"""Samples per second of the reference stack on short text: one pass over real CoLA rows, batch 32, padded to the longest row.

    python3 peft_rows.py TOKENIZER.json CoLA/train.tsv [--batches 200]

RoBERTa-base with random weights, LoRA r = 8 on query and value (PEFT), dropout 0.1, forward + backward + clip + AdamW.
Tokenising is not timed. One JSON line per configuration. Needs torch with CUDA, transformers, peft, tokenizers.
"""
import argparse, json, time
import torch
from tokenizers import Tokenizer
from peft_step import build

ap = argparse.ArgumentParser()
ap.add_argument("tokenizer"); ap.add_argument("tsv"); ap.add_argument("--batches", type=int, default=200)
a = ap.parse_args()
tok = Tokenizer.from_file(a.tokenizer); tok.no_padding(); tok.enable_truncation(128)
rows = [l.split("\t")[3] for l in open(a.tsv, encoding="utf8").read().split("\n") if l]
ids = [e.ids for e in tok.encode_batch(rows)]
print(json.dumps(dict(rows=len(ids), mean_tokens=round(sum(map(len, ids)) / len(ids), 2), max_tokens=max(map(len, ids)))))
g = torch.Generator().manual_seed(0)
order = torch.randperm(len(ids), generator=g).tolist()
batches = []
for i in range(0, 32 * a.batches, 32):
    b = [ids[j] for j in order[i:i + 32]]; n = max(map(len, b))
    x = torch.full((32, n), 1); m = torch.zeros(32, n, dtype=torch.long)
    for k, r in enumerate(b):
        x[k, :len(r)] = torch.tensor(r); m[k, :len(r)] = 1
    batches.append((x, m))
print(json.dumps(dict(mean_padded=round(sum(b[0].shape[1] for b in batches) / len(batches), 1))))
for name, precision, mode in (("tf32-eager", "tf32", None), ("bf16-eager", "bf16", None), ("bf16-compile-dynamic", "bf16", "dynamic")):
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch._dynamo.reset()
    model = build("lora", 0.1, "sdpa")
    if precision == "bf16":
        for p in model.parameters():
            if not p.requires_grad:
                p.data = p.data.to(torch.bfloat16)
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=1e-4, fused=True)
    run = torch.compile(model, dynamic=True) if mode else model

    def step(x, m):
        y = torch.zeros(32, dtype=torch.long, device="cuda")
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = run(input_ids=x.cuda(non_blocking=True), attention_mask=m.cuda(non_blocking=True), labels=y).loss
        loss.backward(); torch.nn.utils.clip_grad_norm_(params, 1.0); opt.step(); opt.zero_grad(set_to_none=True)

    try:
        for b in batches[:30]:
            step(*b)
        torch.cuda.synchronize(); t = time.time()
        for b in batches:
            step(*b)
        torch.cuda.synchronize(); s = time.time() - t
        print(json.dumps(dict(name=name, ms_per_step=round(1e3 * s / len(batches), 2), samples_per_s=round(32 * len(batches) / s))), flush=True)
    except Exception as e:
        print(json.dumps(dict(name=name, error=repr(e)[:200])), flush=True)
