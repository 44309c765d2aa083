//! Settlement files into `out/`: one for every day that is over, with a number of its own, written once.

use kernel::{Date, hex};
use sha2::{Digest, Sha256};

use super::rules::Counting;
use super::{Desk, Sent, folder, store};
use crate::bill::calendar::tomorrow;
use crate::bill::import::blocking;
use crate::bill::store::date_number;
use crate::bill::{BillError, reconcile};

/// So many days are caught up with in one round.
const DAYS_MAX: usize = 31;

impl Desk<'_> {
    /// Writes the files of the days that are over.
    pub(super) async fn send(&self) -> Result<(), BillError> {
        let Some(pattern) = &self.exchange.settlement else { return Ok(()) };
        let (city, biller) = (self.city, self.pack.biller);
        let today = city.now().date(city.settings.offset);
        for _ in 0..DAYS_MAX {
            let mut conn = city.store.read().await?;
            let unwritten = store::unwritten(&mut conn, biller).await?;
            let newest = store::sent_files(&mut conn, biller, i64::MAX, 1).await?.pop();
            drop(conn);
            let (day, seq) = match (&unwritten, &newest) {
                (Some(file), _) => (file.day, Some(file.seq)),
                (None, Some(before)) => (tomorrow(before.day), before.seq.checked_add(1)),
                (None, None) => (today.yesterday().unwrap_or(today), Some(self.exchange.first)),
            };
            if day >= today {
                return Ok(());
            }
            let seq = match (&unwritten, self.exchange.sequence) {
                (None, Counting::Day) => Some(self.exchange.first),
                _ => seq,
            };
            let name = match &unwritten {
                Some(file) => Some(file.name.clone()),
                None => seq.and_then(|seq| pattern.write(day, seq)),
            };
            let (Some(seq), Some(name)) = (seq, name) else {
                let why = "the number of the next settlement file does not fit into its name";
                return Err(crate::Fault::File(why.to_owned()).into());
            };
            match self.send_day(day, seq, name).await {
                // The ledger has not passed midnight yet, whatever this node's clock says.
                Err(BillError::DayNotOver) => return Ok(()),
                sent => sent?,
            }
        }
        Ok(())
    }

    async fn send_day(&self, day: Date, seq: u32, name: String) -> Result<(), BillError> {
        let (city, biller) = (self.city, self.pack.biller);
        let bytes = reconcile::settlement_file(city, biller, day).await?;
        let file = Sent {
            biller,
            day,
            seq,
            name: name.clone(),
            sha256: hex(&Sha256::digest(&bytes)),
            bytes: bytes.len() as u64,
            made_at: city.now(),
            written_at: None,
            acked_at: None,
            outcome: None,
            code: None,
        };
        let put: Result<(), BillError> = city
            .store
            .write(move |conn| {
                let file = file.clone();
                Box::pin(async move { Ok(store::put_out(conn, &file).await?) })
            })
            .await;
        put?;
        let outbox = self.places.outbox.clone();
        blocking(move || folder::write(&outbox, &name, &bytes)).await?;
        let (number, now) = (date_number(day), city.now());
        city.store
            .write(move |conn| Box::pin(async move { Ok(store::written(conn, biller, number, now).await?) }))
            .await
    }
}
