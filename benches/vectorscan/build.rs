//! Links Vectorscan as the system has it: `apt-get install libvectorscan-dev`.

fn main() {
    println!("cargo:rustc-link-lib=dylib=hs");
}
