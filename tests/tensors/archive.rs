//! What torch.save writes, made here: a zip archive of stored members with a pickled state dict.

/// A zip archive of stored members.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let offset = file.len() as u32;
        let sizes = [content.len() as u32; 2].map(u32::to_le_bytes).concat();
        let names = [&(name.len() as u16).to_le_bytes()[..], &[0, 0]].concat();
        file.extend([b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &names, name.as_bytes(), content].concat());
        let rest = [&names[..], &[0; 10], &offset.to_le_bytes(), name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &rest].concat());
    }
    let counts = [(members.len() as u16).to_le_bytes(); 2].concat();
    let places = [directory.len() as u32, file.len() as u32].map(u32::to_le_bytes).concat();
    [file, directory, [b"PK\x05\x06".as_slice(), &[0; 4], &counts, &places, &[0; 2]].concat()].concat()
}

/// What torch.save makes of float32 tensors, the storages in the order of the names.
pub fn state_dict(tensors: &[(String, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let text = |text: &str| [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let integer = |value: usize| [b"J".as_slice(), &(value as i32).to_le_bytes()].concat();
    let tuple =
        |values: Vec<usize>| [b"(".to_vec(), values.into_iter().flat_map(integer).collect(), b"t".to_vec()].concat();
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (i, (name, shape, bytes)) in tensors.iter().enumerate() {
        let strides = (0..shape.len()).map(|d| shape[d + 1..].iter().product()).collect();
        let storage =
            [b"(".to_vec(), text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text(&i.to_string())].concat();
        let storage = [storage, text("cpu"), integer(bytes.len() / 4), b"tQ".to_vec()].concat();
        let call = [text(name), b"ctorch._utils\n_rebuild_tensor_v2\n(".to_vec(), storage, integer(0)].concat();
        pickle.extend([call, tuple(shape.clone()), tuple(strides), b"\x89NtR".to_vec()].concat());
    }
    pickle.extend(b"u.");
    let names: Vec<String> = (0..tensors.len()).map(|i| format!("m/data/{i}")).collect();
    let members = names.iter().zip(tensors).map(|(name, (_, _, bytes))| (name.as_str(), &bytes[..]));
    zip(&[("m/data.pkl", &pickle[..])].into_iter().chain(members).collect::<Vec<_>>())
}
