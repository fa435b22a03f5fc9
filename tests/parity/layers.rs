//! Single adapted layers: output, gradient of the input and of every trainable tensor.

use crate::folder::{self, close, members, number, text, wide};
use candle_core::{DType, Device, Tensor, Var};
use eigenscope::adapter;
use eigenscope::model::linear::{Adapter, Linear};
use eigenscope::train::NamedTensor;
use std::collections::BTreeMap;

fn host(t: &NamedTensor) -> Tensor {
    Tensor::from_vec(wide(t), t.shape.as_slice(), &Device::Cpu).expect("a tensor")
}

fn flat(t: &Tensor) -> Vec<f64> {
    let t = t.flatten_all().and_then(|t| t.to_dtype(DType::F64)).and_then(|t| t.to_vec1());
    t.expect("values")
}

#[test]
fn unit_layers_f64() {
    let expected = folder::tensors("unit_layers.safetensors");
    let mut used = 0;
    for (name, info) in members(&folder::json("unit_layers.json")) {
        let case = folder::under(&expected, &format!("{name}/"));
        let get = |key: &str| folder::named(&case, key);
        let method = adapter::find(text(&info["method"])).expect("a method");
        let form = method.form().expect("a linear form");
        let (n_in, n_out) = (folder::whole(&info["in"]), folder::whole(&info["out"]));
        let rank = folder::whole(&info["rank"]);
        let scaling = number(&info["alpha"]) / rank as f64;
        folder::near(&format!("{name} scaling"), scaling, number(&info["scaling"]), 1e-15);
        let mut variables = BTreeMap::new();
        for p in method.parameters(name, n_out, n_in, rank).expect("parameters") {
            let value = get(p.suffix.trim_end_matches(".weight"));
            assert_eq!(value.shape, p.shape, "{name} {}", p.suffix);
            variables.insert(p.suffix, Var::from_tensor(&host(value)).expect("a variable"));
        }
        let tensor = |suffix: &str| Ok(variables[suffix].as_tensor().clone());
        let layer = Linear::new(
            host(get("W0")),
            host(get("b")),
            Some(Adapter::new(form, scaling, &tensor).expect("an adapter")),
        );
        let x = host(get("x"));
        let x = Var::from_tensor(&x.reshape(((), n_in)).expect("rows")).expect("a variable");
        let y = layer.forward::<f64>(x.as_tensor()).expect("an output");
        close(&format!("{name} y"), &flat(&y), &wide(get("y")), 1e-12);
        let upstream = host(get("grad_y")).reshape(((), n_out)).expect("rows");
        let store = (y * upstream).and_then(|t| t.sum_all()).and_then(|t| t.backward()).expect("gradients");
        let gradient = |t: &Tensor| flat(store.get(t).expect("a gradient"));
        close(&format!("{name} grad_x"), &gradient(x.as_tensor()), &wide(get("grad_x")), 1e-12);
        for (suffix, variable) in &variables {
            let key = format!("grad_{}", suffix.trim_end_matches(".weight"));
            close(&format!("{name} {key}"), &gradient(variable.as_tensor()), &wide(get(&key)), 1e-12);
        }
        used += 6 + 2 * variables.len();
    }
    assert_eq!(used, expected.len(), "tensors compared and tensors written");
}
