//! What `/metrics` shows, in Prometheus' text format. Labels have few values: never an id, never a path
//! with an id in it.

use std::sync::Arc;

use city::bill::Pack;
use city::bill::route::LaneHealth;
use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// The counters of one server.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Requests by method, route and status.
    pub requests: IntCounterVec,
    /// How long requests took, seconds, by route.
    pub seconds: HistogramVec,
    /// Requests being answered.
    pub in_flight: IntGauge,
    /// Newest committed ledger timestamp, seconds since the epoch.
    pub ledger_committed: IntGauge,
    /// Questions to billers that are asked, by pack, channel and outcome.
    pub biller_questions: IntCounterVec,
    /// Whether a way to a biller works: 1, or 0 while it is given up.
    pub biller_way_open: IntGaugeVec,
    /// Whether there is room for what is written to the ledger: 1, or 0.
    pub ledger_writable: IntGauge,
}

impl Metrics {
    /// Fresh counters.
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("yima_http_requests_total", "requests answered"),
            &["method", "route", "status"],
        )?;
        let buckets = vec![0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
        let seconds = HistogramVec::new(
            HistogramOpts::new("yima_http_request_seconds", "time to answer").buckets(buckets),
            &["route"],
        )?;
        let in_flight = IntGauge::new("yima_http_in_flight", "requests being answered")?;
        let ledger_committed =
            IntGauge::new("yima_ledger_committed_seconds", "time of the newest committed ledger entry")?;
        let ledger_writable =
            IntGauge::new("yima_ledger_writable", "1 while the disk has room for the ledger, else 0")?;
        let biller_questions = IntCounterVec::new(
            Opts::new("yima_biller_questions_total", "questions to billers that are asked"),
            &["pack", "channel", "outcome"],
        )?;
        let biller_way_open = IntGaugeVec::new(
            Opts::new("yima_biller_way_open", "1 while a way to a biller works, else 0"),
            &["pack", "channel"],
        )?;
        registry.register(Box::new(biller_questions.clone()))?;
        registry.register(Box::new(biller_way_open.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(ledger_committed.clone()))?;
        registry.register(Box::new(ledger_writable.clone()))?;
        Ok(Metrics {
            registry,
            requests,
            seconds,
            in_flight,
            ledger_committed,
            biller_questions,
            biller_way_open,
            ledger_writable,
        })
    }

    /// Takes over what the city has counted by itself.
    pub fn ways(&self, ways: &[(Arc<Pack>, Vec<LaneHealth>)]) {
        for (pack, lanes) in ways {
            for lane in lanes {
                let (pack, channel) = (pack.spec.id.as_str(), lane.channel.as_str());
                self.biller_way_open.with_label_values(&[pack, channel]).set(i64::from(lane.gate != "open"));
                let outcomes = [
                    ("done", lane.done),
                    ("refused", lane.refused),
                    ("silent", lane.silent),
                    ("unsent", lane.unsent),
                ];
                for (outcome, count) in outcomes {
                    let counter = self.biller_questions.with_label_values(&[pack, channel, outcome]);
                    counter.inc_by(count.saturating_sub(counter.get()));
                }
            }
        }
    }

    /// The text that a scraper reads.
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        // Encoding counters into memory fails only on a registry that `new` could not have made.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}
