//! `yima coverage`: figures of regions from a file; needs no server.

use std::path::PathBuf;

use city::coverage::inequality::of_csv;
use clap::Subcommand;

use crate::config::Fail;

#[derive(Subcommand)]
pub enum Command {
    /// How unequal regions are, by year: best to worst, p90 to p10, Gini, Theil.
    Inequality {
        /// Lines of `year,region,value`; see docs/guides/inequality.md.
        file: PathBuf,
    },
}

pub fn run(command: &Command) -> Result<(), Fail> {
    let Command::Inequality { file } = command;
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| Fail::new(format!("{name}: {e}")))?;
    let years = of_csv(&text).map_err(|(line, why)| Fail::new(format!("{name}:{line}: {why}")))?;
    println!("year,regions,best_worst,p90_p10,gini,theil");
    let point = |number: Option<u64>, digits: usize| {
        let unit = 10u64.pow(u32::try_from(digits).unwrap_or(0));
        number.map(|n| format!("{}.{:0digits$}", n / unit, n % unit)).unwrap_or_default()
    };
    for (year, of) in years {
        let (best, p90) = (point(of.best_worst_milli, 3), point(of.p90_p10_milli, 3));
        println!("{year},{},{best},{p90},{},{}", of.regions, point(of.gini_ppm, 6), point(of.theil_ppm, 6));
    }
    Ok(())
}
