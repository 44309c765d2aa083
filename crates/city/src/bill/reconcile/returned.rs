//! What the biller and the bank return for a day: from a file of any length into pieces in the database, and out of them
//! again as a list. Must never mix two uploads: a file counts when all of it is kept, and then at once.

use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kernel::Date;
use kernel::ids::BillerId;
use tokio::sync::mpsc;

use super::list::{Line, List, REFERENCE_MAX, Reference};
use super::rules::Source;
use super::store::{self, Kept, Place, Returned};
use super::{Totals, bank_layout};
use crate::bill::import::{FileFault, Lines, Next, blocking, survey};
use crate::bill::layout::{Field, Layout, LineFault};
use crate::bill::pack::Pack;
use crate::bill::store::date_number;
use crate::bill::upload::{Upload, keep_part};
use crate::bill::{BillError, pack};
use crate::identity::{Biller, Operator, Role};
use crate::{City, Fault};

/// Takes the file that the biller returns for a day, in the place of an earlier one.
pub async fn put_biller_file(
    city: &City,
    who: &Biller,
    day: Date,
    upload: impl Upload,
) -> Result<Totals, BillError> {
    who.role.require(Role::Staff)?;
    let pack = pack(city, who.id).await?;
    let at = Place { biller: who.id, day: date_number(day), source: Source::Biller };
    put(city, at, LayoutOf::Biller(pack), upload).await
}

/// Takes the bank's statement of a biller's day, in the place of an earlier one.
pub async fn put_bank_file(
    city: &City,
    by: &Operator,
    biller: BillerId,
    day: Date,
    upload: impl Upload,
) -> Result<Totals, BillError> {
    by.role.require(Role::Staff)?;
    pack(city, biller).await?;
    put(city, Place { biller, day: date_number(day), source: Source::Bank }, LayoutOf::Bank, upload).await
}

/// Whose layout a file has.
enum LayoutOf {
    Biller(std::sync::Arc<Pack>),
    Bank,
}

impl LayoutOf {
    fn get(&self) -> &Layout {
        match self {
            LayoutOf::Biller(pack) => pack.returned(),
            LayoutOf::Bank => bank_layout(),
        }
    }
}

/// The directory for what is longer than memory.
pub(super) async fn directory(city: &City) -> Result<PathBuf, Fault> {
    let directory = city.settings.data_dir.join("returned");
    blocking(move || fs::create_dir_all(&directory).map(|()| directory)).await
}

/// So many bytes of lines are one row.
const PIECE_BYTES: usize = 256 << 10;
/// An upload that has not come to its end by then never will.
const DEAD_AFTER: Duration = Duration::from_hours(24);

async fn put(city: &City, at: Place, layout: LayoutOf, upload: impl Upload) -> Result<Totals, BillError> {
    let within = directory(city).await?;
    let file = city.rng.u128();
    let part = within.join(format!("{file:032x}.part"));
    let kept = match keep_part(&within, &part, upload).await {
        Ok(sha256) => {
            keep_pieces(city, at, layout, file, part.clone()).await.map(|kept| Returned { sha256, ..kept })
        }
        Err(why) => Err(why.into()),
    };
    let _ = blocking(move || fs::remove_file(part)).await; // it is in the database, or was refused
    let kept = kept?;
    let now = city.now();
    let dead = now.minus(DEAD_AFTER);
    let totals = Totals { count: kept.lines, amount_minor: kept.amount_minor };
    let put: Result<(), BillError> = city
        .store
        .write(move |conn| {
            let kept = kept.clone();
            Box::pin(async move { Ok(store::put_returned(conn, at, &kept, dead, now).await?) })
        })
        .await;
    put?;
    Ok(totals)
}

/// Reads the file and keeps its lines piece by piece; one bad line and all of it is refused, because a match with holes
/// is none.
async fn keep_pieces(
    city: &City,
    at: Place,
    layout: LayoutOf,
    file: u128,
    path: PathBuf,
) -> Result<Returned, BillError> {
    let (sender, mut pieces) = mpsc::channel::<Vec<u8>>(4);
    let reader = tokio::task::spawn_blocking(move || {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut totals = Totals::default();
        let gone = || io::Error::other("the database refused");
        each_returned(layout.get(), &path, |line| {
            totals.count += 1;
            totals.amount_minor = totals
                .amount_minor
                .checked_add(line.amount_minor)
                .ok_or_else(|| io::Error::other("the sum of a file overflows"))?;
            line.write(&mut piece);
            if piece.len() >= PIECE_BYTES {
                sender.blocking_send(std::mem::take(&mut piece)).map_err(|_| gone())?;
            }
            Ok(())
        })?;
        if !piece.is_empty() {
            sender.blocking_send(piece).map_err(|_| gone()).map_err(|e| Fault::File(e.to_string()))?;
        }
        Ok::<_, BillError>(totals)
    });
    let mut number = 0u32;
    while let Some(piece) = pieces.recv().await {
        let now = city.now();
        let put: Result<(), BillError> = city
            .store
            .write(move |conn| {
                let piece = piece.clone();
                Box::pin(async move { Ok(store::put_piece(conn, at, file, number, piece, now).await?) })
            })
            .await;
        put?;
        number += 1;
    }
    let totals = reader.await.map_err(|e| Fault::File(e.to_string()))??;
    let (lines, amount_minor) = (totals.count, totals.amount_minor);
    Ok(Returned { file, sha256: String::new(), lines, amount_minor, pieces: number })
}

/// Hands over every line of a returned file, after the file as a whole was checked.
pub fn each_returned(
    layout: &Layout,
    path: &Path,
    mut each: impl FnMut(Line) -> io::Result<()>,
) -> Result<(), BillError> {
    let unread = |e: io::Error| BillError::from(Fault::File(e.to_string()));
    match survey(layout, fs::File::open(path).map_err(unread)?).map_err(unread)? {
        Ok(_) => {}
        Err(FileFault::Empty) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    }
    let input = BufReader::with_capacity(1 << 20, fs::File::open(path).map_err(unread)?);
    let mut lines = Lines::new(input, 0, 0);
    let preamble = layout.preamble();
    let mut number = 0;
    loop {
        number += 1;
        let line = match lines.next().map_err(unread)? {
            Next::End => return Ok(()),
            Next::TooLong => return Err(FileFault::LineTooLong(number as u64).into()),
            Next::Line(line) => line,
        };
        if number <= preamble || line.is_empty() || layout.is_last_totals(line) {
            continue;
        }
        let line = read_line(layout, line).map_err(|fault| BillError::ReturnedLine(number, fault))?;
        each(line).map_err(unread)?;
    }
}

fn read_line(layout: &Layout, line: &[u8]) -> Result<Line, LineFault> {
    let (mut reference, mut amount_minor) = (None, 0);
    layout.read(&layout.columns, line, |field, text| {
        let wrong = LineFault::Malformed(field);
        match field {
            Field::Reference if text.is_empty() || text.len() > REFERENCE_MAX => return Err(wrong),
            Field::Reference => reference = Some(Reference::of(text)),
            Field::Amount => amount_minor = layout.read_amount(text).ok_or(wrong)?,
            _ => {}
        }
        Ok(())
    })?;
    let reference = reference.ok_or(LineFault::Malformed(Field::Reference))?;
    Ok(Line { reference, amount_minor })
}

/// What was returned for a day; `None` when nothing was.
pub(super) async fn list(
    city: &City,
    biller: BillerId,
    day: i64,
    source: Source,
    within: PathBuf,
) -> Result<Option<List>, Fault> {
    let at = Place { biller, day, source };
    let mut conn = city.store.read().await?;
    let mut list = List::new(within);
    match store::returned(&mut conn, at).await? {
        None => return Ok(None),
        Some(Kept::Pieces(file)) => {
            let mut number = 0;
            while let Some(piece) = store::piece(&mut conn, at, &file, number).await? {
                let mut bytes = piece.as_slice();
                while !bytes.is_empty() {
                    let corrupt = ::store::StoreError::Corrupt("returned_piece.lines");
                    let line = Line::read(&mut bytes).ok_or(corrupt)?;
                    list.push(&line).map_err(|e| Fault::File(e.to_string()))?;
                }
                number += 1;
            }
        }
        Some(Kept::Lines) => {
            let mut after = 0;
            loop {
                let page = store::lines(&mut conn, at, after, 8_000).await?;
                let Some(last) = page.last() else { break };
                after = last.0;
                for (_, reference, amount_minor) in &page {
                    let line = Line { reference: Reference::of(reference), amount_minor: *amount_minor };
                    list.push(&line).map_err(|e| Fault::File(e.to_string()))?;
                }
            }
        }
    }
    Ok(Some(list))
}
