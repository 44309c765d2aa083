//! The store as its callers see it, on SQLite, or on PostgreSQL where `YIMA_TEST_POSTGRES` names a server.

use std::time::Duration;

use kernel::{OsRng, Timestamp};
use store::{Store, StoreError, jobs, query, query_scalar};
use tempfile::TempDir;

async fn open() -> (Store, TempDir, String) {
    let dir = TempDir::new().unwrap();
    let url = store::testing::fresh_url(dir.path(), &OsRng).await.unwrap();
    (Store::open(&url).await.unwrap(), dir, url)
}

/// Adds a row to the table of followers, which has a unique name.
async fn add(store: &Store, name: String, fail: bool) -> Result<(), StoreError> {
    store
        .write(move |conn| {
            Box::pin(async move {
                query("INSERT INTO follower (name, after) VALUES ($1, 1)")
                    .bind(name)
                    .execute(&mut *conn)
                    .await?;
                if fail { Err(StoreError::Guard) } else { Ok(()) }
            })
        })
        .await
}

async fn names(store: &Store) -> Vec<String> {
    let mut conn = store.read().await.unwrap();
    query_scalar("SELECT name FROM follower ORDER BY name").fetch_all(&mut *conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_rolled_back_alone() {
    let (store, _dir, _) = open().await;
    let writes = (0..200).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { add(&store, format!("{:03}", n % 100), n % 7 == 3).await })
    });
    let mut kept = 0;
    for write in writes.collect::<Vec<_>>() {
        match write.await.unwrap() {
            Ok(()) => kept += 1,
            Err(StoreError::Guard | StoreError::Unique) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(names(&store).await.len(), kept);
}

#[tokio::test]
async fn what_was_answered_is_there_after_opening_again() {
    let (store, _dir, url) = open().await;
    add(&store, "a".into(), false).await.unwrap();
    assert_eq!(add(&store, "a".into(), false).await, Err(StoreError::Unique));
    store.close().await;
    assert_eq!(add(&store, "b".into(), false).await, Err(StoreError::Closed));
    let store = Store::open(&url).await.unwrap();
    assert_eq!(names(&store).await, ["a"]);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn addresses_that_are_none() {
    for url in ["mysql://x", "yima.db", ""] {
        assert!(matches!(Store::open(url).await, Err(StoreError::Address(_))), "{url}");
    }
}

async fn take(store: &Store, now_ms: i64, limit: u32) -> Vec<jobs::Job> {
    let now = Timestamp::from_millis(now_ms);
    let taken: Result<Vec<jobs::Job>, StoreError> = store
        .write(move |conn| {
            Box::pin(async move { jobs::take(conn, "k", now, Duration::from_millis(100), limit).await })
        })
        .await;
    taken.unwrap()
}

#[tokio::test]
async fn a_job_is_done_once_it_is_due_leased_to_one_and_retried() {
    let (store, _dir, _) = open().await;
    let enqueue = |key: &'static [u8], at_ms| {
        let store = store.clone();
        async move {
            let at = Timestamp::from_millis(at_ms);
            let added: Result<bool, StoreError> = store
                .write(move |conn| Box::pin(async move { jobs::enqueue(conn, "k", key, "{}", at).await }))
                .await;
            added.unwrap()
        }
    };
    assert!(enqueue(b"1", 10).await);
    assert!(!enqueue(b"1", 99).await, "the same key is the same job");
    assert!(enqueue(b"2", 20).await);

    assert_eq!(take(&store, 9, 10).await.len(), 0, "nothing is due");
    let first = take(&store, 10, 10).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].attempts, first[0].payload.as_str()), (1, "{}"));
    assert_eq!(take(&store, 15, 10).await.len(), 0, "it is leased");
    let again = take(&store, 110, 10).await;
    assert_eq!(again.len(), 2, "the lease ran out, and the second is due");
    assert!(again.iter().any(|j| j.id == first[0].id && j.attempts == 2));

    let (done, later) = (first[0].id, again.iter().find(|j| j.id != first[0].id).unwrap().id);
    let ended: Result<(), StoreError> = store
        .write(move |conn| {
            Box::pin(async move {
                jobs::done(conn, done).await?;
                jobs::retry(conn, later, Timestamp::from_millis(500), "no answer").await
            })
        })
        .await;
    ended.unwrap();
    assert_eq!(take(&store, 499, 10).await.len(), 0);
    let hasten = |at_ms| {
        let (store, at) = (store.clone(), Timestamp::from_millis(at_ms));
        async move {
            let hastened: Result<(), StoreError> =
                store.write(move |conn| Box::pin(async move { jobs::hasten(conn, later, at).await })).await;
            hastened.unwrap();
        }
    };
    hasten(450).await;
    assert_eq!(take(&store, 450, 10).await.len(), 1);
    hasten(450).await;
    assert_eq!(take(&store, 460, 10).await.len(), 0, "who holds it keeps it");
}

#[tokio::test]
async fn a_follower_moves_only_from_where_it_stands() {
    let (store, _dir, _) = open().await;
    let advance = |from, to| {
        let store = store.clone();
        async move {
            let moved: Result<(), StoreError> = store
                .write(move |conn| Box::pin(async move { jobs::advance(conn, "f", from, to).await }))
                .await;
            moved
        }
    };
    assert_eq!(advance(0, 5).await, Ok(()));
    assert_eq!(advance(0, 6).await, Err(StoreError::Guard), "another node began before");
    assert_eq!(advance(4, 6).await, Err(StoreError::Guard));
    assert_eq!(advance(5, 9).await, Ok(()));
    let mut conn = store.read().await.unwrap();
    assert_eq!(jobs::watermark(&mut conn, "f").await, Ok(9));
    assert_eq!(jobs::watermark(&mut conn, "other").await, Ok(0));
}
