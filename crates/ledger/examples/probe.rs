//! Probe.
use std::sync::Arc;
use std::time::Instant;
use kernel::SystemClock;
use ledger::{Account, AccountFlags, AccountFilter, AccountFilterFlags, BATCH_MAX, Embedded, Ledger, Transfer, Engine};
fn mix(x: u64) -> u64 { let mut z = x.wrapping_add(0x9e3779b97f4a7c15).wrapping_mul(0xbf58476d1ce4e5b9); z ^= z >> 27; z = z.wrapping_mul(0x94d049bb133111eb); z ^ (z >> 31) }
fn main() {
    let arg = |n: usize, d: u64| std::env::args().nth(n).map_or(d, |v| v.parse().unwrap());
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let (accounts, batches, flight) = (arg(2, 10_000), arg(3, 400), arg(4, 1));
    let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    rt.block_on(async {
        let t = Instant::now();
        let (engine, rec) = Embedded::open(&dir, Arc::new(SystemClock)).unwrap();
        println!("open {:?} {rec:?}", t.elapsed());
        let engine: Ledger = Arc::new(engine);
        let t = Instant::now();
        let ids: Vec<u64> = (1..=accounts).collect();
        for chunk in ids.chunks(BATCH_MAX) {
            engine.create_accounts(chunk.iter().map(|id| Account { id: u128::from(mix(*id)) << 64 | u128::from(*id), ledger: 2, code: 1, flags: AccountFlags::History, ..Account::default() }).collect()).await.unwrap();
        }
        println!("accounts {:?}", t.elapsed());
        let base = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() << 80;
        let make = |n: u64| -> Vec<Transfer> { (n * BATCH_MAX as u64..(n + 1) * BATCH_MAX as u64).map(|i| {
            let (a, b) = (mix(i * 4), mix(i * 4 + 1));
            let d = 1 + a % accounts; let mut c = 1 + b % accounts; if c == d { c = 1 + c % accounts }
            let id = |x: u64| u128::from(mix(x)) << 64 | u128::from(x);
            Transfer { id: base + u128::from(i) + 1, debit_account_id: id(d), credit_account_id: id(c), amount: 1 + u128::from(a >> 40), user_data_128: u128::from(a) << 64 | u128::from(b), user_data_64: a ^ b, user_data_32: (a >> 32) as u32, code: ((b >> 48) as u16).max(1), ledger: 2, ..Transfer::default() } }).collect() };
        let t = Instant::now();
        let mut lat = vec![];
        let mut flying = std::collections::VecDeque::new();
        for n in 0..batches {
            let events = make(n);
            let e = engine.clone();
            let at = Instant::now();
            if flight == 1 { let r = e.create_transfers(events).await.unwrap(); assert!(r.iter().all(|r| r.status.is_in_ledger())); lat.push(at.elapsed()); }
            else {
                let f = tokio::task::LocalSet::new(); drop(f);
                let h = std::thread::spawn(move || { let rt = tokio::runtime::Builder::new_current_thread().build().unwrap(); rt.block_on(async { let r = e.create_transfers(events).await.unwrap(); assert!(r.iter().all(|r| r.status.is_in_ledger())); at.elapsed() }) });
                flying.push_back(h);
                if flying.len() as u64 >= flight { lat.push(flying.pop_front().unwrap().join().unwrap()); }
            }
        }
        for h in flying { lat.push(h.join().unwrap()); }
        let el = t.elapsed(); lat.sort();
        println!("transfers {} in {el:?} = {:.0}/s p50 {:?} p99 {:?} max {:?}", batches * 8189, (batches * 8189) as f64 / el.as_secs_f64(), lat[lat.len()/2], lat[lat.len()*99/100], lat[lat.len()-1]);
        let st = std::fs::read_to_string("/proc/self/status").unwrap();
        for l in st.lines().filter(|l| l.starts_with("Rss") || l.starts_with("VmHWM") || l.starts_with("VmRSS")) { println!("{l}"); }
        let mut q = vec![];
        for k in 0..2000u64 { let x = 1 + mix(k) % accounts; let id = u128::from(mix(x)) << 64 | u128::from(x);
            let t = Instant::now();
            let r = engine.get_account_transfers(AccountFilter { account_id: id, limit: 100, flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits | AccountFilterFlags::Reversed, ..AccountFilter::default() }).await.unwrap();
            q.push(t.elapsed()); if k == 0 { println!("first query {} rows", r.len()); } }
        q.sort(); println!("history p50 {:?} p99 {:?}", q[1000], q[1980]);
        let t = Instant::now(); drop(engine); println!("close {:?}", t.elapsed());
        let t = Instant::now(); let (e, rec) = Embedded::open(&dir, Arc::new(SystemClock)).unwrap(); println!("reopen {:?} {rec:?}", t.elapsed()); 
        let mut q = vec![];
        for k in 0..2000u64 { let x = 1 + mix(k) % accounts; let id = u128::from(mix(x)) << 64 | u128::from(x);
            let t = Instant::now();
            let r = e.get_account_transfers(AccountFilter { account_id: id, limit: 100, flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits | AccountFilterFlags::Reversed, ..AccountFilter::default() }).await.unwrap();
            q.push(t.elapsed()); if k == 0 { println!("first query {} rows", r.len()); } }
        q.sort(); println!("history p50 {:?} p99 {:?}", q[1000], q[1980]);
        let st = std::fs::read_to_string("/proc/self/status").unwrap();
        for l in st.lines().filter(|l| l.starts_with("Rss") || l.starts_with("VmHWM") || l.starts_with("VmRSS")) { println!("{l}"); }
        drop(e);
    });
}
