#!/usr/bin/env python3
"""Step time of PyTorch on the CPU: forward + backward + clip + AdamW, one JSON line per method.

    python3 torch_step.py MODEL_DIR [--batch 32] [--seq 64] [--threads 2] [--steps 30]

Needs torch (a CPU build), transformers, safetensors. Adapters of rank 8 on query and value, dropout 0.1, full rows.
"""
import argparse, json, os, statistics, time
import torch
from torch import nn
from transformers import RobertaConfig, RobertaForSequenceClassification
from safetensors.torch import load_file

ap = argparse.ArgumentParser()
ap.add_argument("model"); ap.add_argument("--batch", type=int, default=32); ap.add_argument("--seq", type=int, default=64)
ap.add_argument("--threads", type=int, default=2); ap.add_argument("--steps", type=int, default=30)
a = ap.parse_args()
torch.set_num_threads(a.threads)


class Sym(nn.Module):
    def __init__(self, base, r=8, alpha=8.0):
        super().__init__(); self.base = base; n = base.in_features
        self.q = nn.Parameter(torch.randn(n, r) / n ** 0.5); self.l = nn.Parameter(torch.zeros(r))
        self.lam = nn.Parameter(torch.ones(())); self.s = alpha / r

    def forward(self, x):
        return self.lam * nn.functional.linear(x, self.base.weight) + self.base.bias + ((x @ self.q) * self.l * self.s) @ self.q.T


class Lora(nn.Module):
    def __init__(self, base, r=8, alpha=8.0):
        super().__init__(); self.base = base; n = base.in_features
        self.a = nn.Parameter(torch.randn(r, n) / n ** 0.5); self.b = nn.Parameter(torch.zeros(n, r)); self.s = alpha / r

    def forward(self, x):
        return self.base(x) + (x @ self.a.T) @ self.b.T * self.s


cfg = RobertaConfig(**{k: v for k, v in json.load(open(os.path.join(a.model, "config.json"))).items() if k not in ("torch_dtype", "architectures")}, num_labels=2)
for name, cls in (("lora", Lora), ("symlora", Sym)):
    torch.manual_seed(0)
    m = RobertaForSequenceClassification(cfg).float()
    m.load_state_dict({k: v.float() for k, v in load_file(os.path.join(a.model, "model.safetensors")).items()}, strict=False)
    for p in m.roberta.parameters():
        p.requires_grad_(False)
    for l in m.roberta.encoder.layer:
        s = l.attention.self
        s.query, s.value = cls(s.query), cls(s.value)
    ps = [p for p in m.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(ps, lr=1e-3)
    ids = torch.randint(5, 8000, (a.batch, a.seq)); mask = torch.ones_like(ids); y = torch.randint(0, 2, (a.batch,))
    ts = []
    for i in range(a.steps + 5):
        t = time.perf_counter()
        m(input_ids=ids, attention_mask=mask, labels=y).loss.backward()
        torch.nn.utils.clip_grad_norm_(ps, 1.0); opt.step(); opt.zero_grad(set_to_none=True)
        if i >= 5:
            ts.append((time.perf_counter() - t) * 1e3)
    ts.sort()
    print(json.dumps(dict(method=name, batch=a.batch, seq=a.seq, threads=a.threads, ms=round(statistics.median(ts), 1),
                          p10=round(ts[len(ts) // 10], 1), p90=round(ts[9 * len(ts) // 10], 1))))
