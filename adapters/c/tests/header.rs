//! `include/klamm.h` is what cbindgen makes of the crate. With `KLAMM_HEADER=write` it is written.

use std::path::Path;

#[test]
fn the_header_is_that_of_the_crate() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::generate_with_config(here, config).unwrap();
    let mut header = Vec::new();
    bindings.write(&mut header);
    let file = here.join("include/klamm.h");
    if std::env::var_os("KLAMM_HEADER").is_some_and(|what| what == "write") {
        std::fs::write(&file, &header).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap();
    assert!(
        there.as_bytes() == header,
        "{} is not that of the crate; KLAMM_HEADER=write cargo test -p klamm-c --test header",
        file.display()
    );
}
