//! `inspect`: norms and spectra of a saved adapter, without training anything.

use super::saved::{self, ADAPTER, ADAPTER_HELP, Place};
use super::{Answer, Globals, Subcommand, code, given, print_json};
use crate::job::{self, Saved};
use crate::model::ModelSource;
use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use serde_json::json;

pub struct Inspect;

impl Subcommand for Inspect {
    fn command(&self) -> Command {
        Command::new("inspect")
            .about("Norms, lambda and spectrum of each matrix of a saved adapter")
            .arg(Arg::new("adapter").value_name(ADAPTER).required(true).help(ADAPTER_HELP))
            .arg(
                Arg::new("model")
                    .long("model")
                    .value_name("DIR")
                    .help("mini-roberta or a Hugging Face folder: adds the norms of W0 and the difference"),
            )
            .arg(saved::alpha())
            .after_help("An adapter of loralib does not say its alpha: eigenscope inspect lora_mnli.bin --alpha 8")
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let mut given = given(matches);
        let path = match saved::place_of(matches.get_one::<String>("adapter").context("no adapter")?, globals)? {
            Place::Path(path) => path,
            Place::Run(run, folder) => {
                // A run says which model it stands on; where that is gone the norms of W0 are left out.
                let here = || Some(run.spec.model).filter(|model| ModelSource::resolve(model).is_ok());
                given.model = given.model.or_else(here);
                Saved::file_of_run(&folder)?
            }
        };
        let report = job::inspect(&path, &given)?;
        let known = |v: f64| v.is_finite().then_some(v);
        if globals.json {
            let layer = |n: &crate::event::LayerNorm| {
                json!({
                    "layer": n.layer, "target": n.target, "lambda": n.lambda, "w0_fro": known(n.w0_fro),
                    "w0_l1": known(n.w0_l1), "delta_fro": n.delta_fro, "difference": known(n.difference()),
                    "spectrum": n.spectrum,
                })
            };
            let layers: Vec<_> = report.layers.iter().map(layer).collect();
            print_json(&json!({
                "format": report.format, "method": report.method, "r": report.rank, "alpha": report.alpha, "layers": layers,
            }))?;
            return Ok(Answer::Code(code::OK));
        }
        outln!("{} ({})  r = {}  alpha = {}", report.method, report.format, report.rank, report.alpha);
        outln!(
            "{:>5} {:8} {:>9} {:>10} {:>10} {:>10}  spectrum",
            "layer",
            "target",
            "lambda",
            "|W0|_F",
            "|dW|_F",
            "difference"
        );
        let number = |v: f64| known(v).map_or("-".to_string(), |v| format!("{v:.4}"));
        for n in &report.layers {
            let spectrum: Vec<String> = n.spectrum.iter().map(|v| format!("{v:.3}")).collect();
            outln!(
                "{:>5} {:8} {:>9.4} {:>10} {:>10.4} {:>10}  {}",
                n.layer,
                n.target,
                n.lambda,
                number(n.w0_fro),
                n.delta_fro,
                number(n.difference()),
                spectrum.join(" ")
            );
        }
        Ok(Answer::Code(code::OK))
    }
}
