//! `convert`: an adapter of any program written as another program keeps it.

use super::saved::{self, ADAPTER, ADAPTER_HELP};
use super::{Answer, Globals, Subcommand, code, given, print_json, saved_of};
use crate::format;
use crate::job::{self, Converted};
use crate::model::EMBEDDED;
use crate::view::file_size;
use anyhow::Context;
use clap::{Arg, ArgMatches, Command, builder::PossibleValue, builder::PossibleValuesParser, value_parser};
use serde_json::json;
use std::path::PathBuf;

pub struct Convert;

impl Subcommand for Convert {
    fn command(&self) -> Command {
        let written = format::ALL.iter().filter(|f| f.writer().is_some());
        let formats: Vec<PossibleValue> = written.map(|f| PossibleValue::new(f.id()).help(f.help())).collect();
        let folder = |name: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name("DIR").value_parser(value_parser!(PathBuf)).help(help)
        };
        let command = Command::new("convert")
            .about("Write an adapter as another program keeps it: PEFT's from a run, a run's from PEFT's or loralib's")
            .arg(Arg::new("adapter").value_name(ADAPTER).required(true).help(ADAPTER_HELP))
            .arg(
                Arg::new("to")
                    .long("to")
                    .value_name("FORMAT")
                    .required(true)
                    .value_parser(PossibleValuesParser::new(formats))
                    .help("whose it shall be"),
            )
            .arg(folder("out", "folder to make").required(true))
            .arg(folder(
                "with-base",
                "folder to make of a model for the adapter to stand on: where a method scales W0 by lambda, lambda W0 is in it",
            ));
        saved::flags(command).after_help(
            "Examples:\n  \
             eigenscope convert r0002 --to peft --out adapter                    a run of LoRA, for PeftModel.from_pretrained\n  \
             eigenscope convert r0001 --to peft --out adapter --with-base base   SymLoRA: B = Q diag(L), A = Q^T on lambda W0\n  \
             eigenscope convert lora_mnli.bin --alpha 8 --task mnli --model roberta-base --to peft --out adapter\n  \
             eigenscope convert adapter --task mnli --to eigenscope --out own",
        )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let folder = matches.get_one::<PathBuf>("out").context("no --out")?;
        let base = matches.get_one::<PathBuf>("with-base");
        let to = format::find(matches.get_one::<String>("to").context("no --to")?)?;
        let name = matches.get_one::<String>("adapter").context("no adapter")?;
        let saved = saved_of(name, globals, &given(matches))?.saved;
        let model = base.map(|_| saved.model()).transpose()?;
        let done = job::convert(&saved, model.as_ref(), to, folder, base.map(PathBuf::as_path))?;
        let Converted { bytes, base_bytes, rank, base: named } = done;
        eprintln!("wrote {} ({}), rank {rank}", folder.display(), file_size(bytes));
        match base.zip(base_bytes) {
            Some((base, bytes)) => {
                eprintln!("wrote {} ({}), the model that it stands on", base.display(), file_size(bytes))
            }
            None if named == EMBEDDED && to.id() != "eigenscope" => {
                eprintln!("{EMBEDDED} is compiled in: with --with-base DIR other programs have it as a folder");
            }
            None => {}
        }
        if globals.json {
            print_json(&json!({
                "folder": folder, "bytes": bytes, "rank": rank, "base": named, "base_bytes": base_bytes,
            }))?;
        }
        Ok(Answer::Code(code::OK))
    }
}
