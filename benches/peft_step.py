#!/usr/bin/env python3
"""Step time of the reference stack (PyTorch + transformers + PEFT) on the work that eigenscope does.

Work of one step: RoBERTa-base (12 layers, hidden 768, random weights), adapters of rank 8 on query and
value, a trainable classification head, batch x sequence tokens with no padding, forward + backward +
gradient clipping + AdamW. Prints one JSON line per configuration: median and 10th/90th percentile of
the step time in milliseconds (CUDA events), samples per second, peak device memory in MiB.

    python3 peft_step.py [--batch 32] [--seq 128] [--steps 60] [--only NAME[,NAME]]

Needs torch with CUDA, transformers and peft; downloads nothing.
"""
import argparse, json, statistics, sys, time
import torch
from torch import nn
from transformers import RobertaConfig, RobertaForSequenceClassification
from peft import LoraConfig, get_peft_model, TaskType


class SymLinear(nn.Module):
    """h = lambda * W0 x + b + (alpha/r) Q diag(L) Q^T x."""

    def __init__(self, base: nn.Linear, r: int, alpha: float):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.q = nn.Parameter(torch.randn(base.in_features, r) * 0.02)
        self.l = nn.Parameter(torch.zeros(r))
        self.lam = nn.Parameter(torch.ones(()))
        self.scale = alpha / r

    def forward(self, x):
        w = nn.functional.linear(x, self.base.weight)
        q = self.q.to(x.dtype)
        return self.lam.to(x.dtype) * w + self.base.bias + ((x @ q) * (self.l.to(x.dtype) * self.scale)) @ q.T


def build(method: str, dropout: float, attn: str):
    cfg = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5,
                        pad_token_id=1, bos_token_id=0, eos_token_id=2, num_labels=2,
                        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
                        attn_implementation=attn)
    torch.manual_seed(0)
    model = RobertaForSequenceClassification(cfg)
    if method == "lora":
        model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, r=8, lora_alpha=8, lora_dropout=0.0,
                                                 target_modules=["query", "value"]))
    else:
        for p in model.roberta.parameters():
            p.requires_grad_(False)
        for layer in model.roberta.encoder.layer:
            s = layer.attention.self
            s.query, s.value = SymLinear(s.query, 8, 8.0), SymLinear(s.value, 8, 8.0)
    return model.cuda().train()


def step_times(name, method, precision, compile_mode, dropout, batch, seq, steps, attn="sdpa"):
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch._dynamo.reset()
    model = build(method, dropout, attn)
    if precision == "bf16":
        for p in model.parameters():
            if not p.requires_grad:
                p.data = p.data.to(torch.bfloat16)
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=1e-4, fused=True)
    run = torch.compile(model, mode=compile_mode) if compile_mode else model
    ids = torch.randint(5, 50000, (batch, seq), device="cuda")
    mask = torch.ones_like(ids)
    y = torch.randint(0, 2, (batch,), device="cuda")

    def step():
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision in ("bf16", "amp")):
            loss = run(input_ids=ids, attention_mask=mask, labels=y).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        return loss

    t = time.time()
    for _ in range(12):
        step()
    torch.cuda.synchronize()
    warm = time.time() - t
    torch.cuda.reset_peak_memory_stats()
    ev = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
    ev[0].record()
    for i in range(steps):
        step()
        ev[i + 1].record()
    torch.cuda.synchronize()
    ms = sorted(ev[i].elapsed_time(ev[i + 1]) for i in range(steps))
    med = statistics.median(ms)
    print(json.dumps(dict(name=name, method=method, precision=precision, compile=compile_mode, dropout=dropout,
                          batch=batch, seq=seq, ms=round(med, 3), p10=round(ms[len(ms) // 10], 3),
                          p90=round(ms[9 * len(ms) // 10], 3), samples_per_s=round(batch / med * 1e3),
                          peak_mib=torch.cuda.max_memory_allocated() // 2**20, warmup_s=round(warm, 1))), flush=True)
    del model, run, opt


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--batch", type=int, default=32)
    ap.add_argument("--seq", type=int, default=128)
    ap.add_argument("--steps", type=int, default=60)
    ap.add_argument("--dropout", type=float, default=0.1)
    ap.add_argument("--only", default="")
    a = ap.parse_args()
    todo = [("fp32-eager", "fp32", None), ("tf32-eager", "tf32", None), ("amp-eager", "amp", None),
            ("bf16-eager", "bf16", None), ("tf32-compile", "tf32", "default"), ("bf16-compile", "bf16", "default"),
            ("bf16-graph", "bf16", "reduce-overhead")]
    for method in ("lora", "symlora"):
        for name, precision, mode in todo:
            if a.only and name not in a.only.split(","):
                continue
            try:
                step_times(name, method, precision, mode, a.dropout, a.batch, a.seq, a.steps)
            except Exception as e:  # a configuration that this torch cannot run is reported, not hidden
                print(json.dumps(dict(name=name, method=method, error=repr(e)[:300])), flush=True)
            torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
