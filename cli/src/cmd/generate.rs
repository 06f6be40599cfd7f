//! `vug gen`

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;

use super::stdout;
use crate::args::{Arguments, Generate};
use crate::failure::Failure;

pub(super) fn run(args: &Generate) -> Result<(), Failure> {
    match args {
        Generate::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "vug", &mut script);
            print(&script)
        }
        Generate::Man { dir: None } => {
            let mut page = Vec::new();
            let written = clap_mangen::Man::new(Arguments::command()).render(&mut page);
            written.map_err(|cause| Failure::output(&cause))?;
            print(&page)
        }
        Generate::Man { dir: Some(dir) } => pages(dir),
    }
}

fn pages(dir: &Path) -> Result<(), Failure> {
    let failed = |cause: io::Error| Failure::output(&cause).of_file(dir);
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), dir).map_err(failed)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = stdout();
    let written = out.write_all(text).and_then(|()| out.flush());
    written.map_err(|cause| Failure::output(&cause))
}
