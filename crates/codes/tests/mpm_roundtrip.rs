//! Whatever the writer writes, the reader reads back; whatever comes in, nothing panics.

use codes::mpm::{
    AdditionalData, Amount, ConsumerData, Entry, Field, Initiation, LanguageTemplate, MerchantQr, Numbered,
    Percentage, Tip, decode, decode_tolerant, inspect,
};
use proptest::prelude::*;
use proptest::{collection, option, sample};

fn ans(max: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[ -~]{{1,{max}}}")).unwrap()
}

fn any_script(max: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[ -~一-鿿À-ÿក-៿😀-😂]{{1,{max}}}")).unwrap()
}

fn entry() -> impl Strategy<Value = Option<Entry>> {
    option::weighted(0.3, prop_oneof![Just(Entry::AskPayer), ans(6).prop_map(|t| Entry::from(t.as_str()))])
}

fn fields(ids: std::ops::RangeInclusive<u8>, most: usize) -> impl Strategy<Value = Vec<Field>> {
    collection::btree_map(ids, any_script(8), 0..=most)
        .prop_map(|map| map.into_iter().map(|(id, value)| Field { id, value }).collect())
}

fn templates(ids: std::ops::RangeInclusive<u8>, least: usize) -> impl Strategy<Value = Vec<Numbered>> {
    collection::btree_map(ids, (ans(12), fields(1..=99, 2)), least..=2).prop_map(|map| {
        map.into_iter().map(|(id, (guid, fields))| Numbered::template(id, guid, fields)).collect()
    })
}

fn tip() -> impl Strategy<Value = Tip> {
    prop_oneof![
        Just(Tip::Prompt),
        (1..1_000_000u64).prop_map(|minor| Tip::Fixed(Amount::from_minor(minor, 2).unwrap())),
        (1..=9999u16).prop_map(|h| Tip::Percent(Percentage::from_hundredths(h).unwrap())),
    ]
}

fn additional() -> impl Strategy<Value = AdditionalData> {
    let labels = (entry(), entry(), entry(), entry(), entry(), entry(), entry(), entry());
    let asked =
        sample::subsequence(vec![ConsumerData::Mobile, ConsumerData::Address, ConsumerData::Email], 0..=3);
    let rest = (option::of(ans(8)), option::of(ans(3)), fields(12..=49, 1));
    (labels, asked, rest).prop_map(|(labels, consumer_data, (tax, channel, reserved))| AdditionalData {
        bill_number: labels.0,
        mobile_number: labels.1,
        store_label: labels.2,
        loyalty_number: labels.3,
        reference_label: labels.4,
        customer_label: labels.5,
        // Never empty: an empty template 62 is refused.
        terminal_label: labels.6.or(Some(Entry::AskPayer)),
        purpose: labels.7,
        consumer_data,
        merchant_tax_id: tax,
        merchant_channel: channel.filter(|c| c.len() == 3),
        reserved,
        templates: Vec::new(),
    })
}

fn language() -> impl Strategy<Value = LanguageTemplate> {
    ("[a-z]{2}", any_script(25), option::of(any_script(15)), fields(3..=99, 1)).prop_map(
        |(language, merchant_name, merchant_city, reserved)| LanguageTemplate {
            language,
            merchant_name,
            merchant_city,
            reserved,
        },
    )
}

fn merchant_qr() -> impl Strategy<Value = MerchantQr> {
    let head =
        (option::of(prop_oneof![Just(Initiation::Static), Just(Initiation::Dynamic)]), templates(26..=51, 1));
    let money = ("[0-9]{4}", "[0-9]{3}", option::of(1..99_999_999_999u64), option::of(tip()));
    let place = ("[A-Z]{2}", ans(25), ans(15), option::of(ans(10)));
    let tail = (option::of(additional()), option::of(language()), fields(65..=79, 1), templates(80..=99, 0));
    (head, money, place, tail).prop_map(|(head, money, place, tail)| MerchantQr {
        initiation: head.0,
        accounts: head.1,
        category_code: money.0,
        currency: money.1,
        amount: money.2.map(|minor| Amount::from_minor(minor, 2).unwrap()),
        tip: money.3,
        country: place.0,
        merchant_name: place.1,
        merchant_city: place.2,
        postal_code: place.3,
        additional: tail.0,
        language: tail.1,
        reserved: tail.2,
        unreserved: tail.3,
    })
}

proptest! {
    #[test]
    fn written_is_read_back(qr in merchant_qr()) {
        match qr.encode() {
            Ok(payload) => {
                let read = decode(&payload);
                prop_assert_eq!(read.as_ref(), Ok(&qr));
                let tolerated = decode_tolerant(&payload).unwrap();
                prop_assert_eq!(&tolerated.qr, &qr);
                prop_assert!(tolerated.departures.is_empty());
            }
            // The only refusals of well-formed content: a template over 99 characters, a payload over 512.
            Err(e) => prop_assert!(matches!(e.code(), "too_long" | "payload_too_long"), "{}", e),
        }
    }

    #[test]
    fn one_changed_character_is_noticed(qr in merchant_qr(), at in any::<sample::Index>(), to in "[ -~]") {
        let Ok(payload) = qr.encode() else { return Ok(()) };
        let mut changed: Vec<char> = payload.chars().collect();
        let at = at.index(changed.len());
        let to = to.chars().next().unwrap();
        prop_assume!(changed[at] != to && changed[at].is_ascii());
        changed[at] = to;
        let changed: String = changed.into_iter().collect();
        prop_assert!(decode(&changed).is_err());
        prop_assert!(decode_tolerant(&changed).is_err());
    }

    #[test]
    fn anything_is_read_without_panic(text in "\\PC{0,80}|(0|1|2|5|6|[0-9]){0,120}|[0-9]{2}0[0-9]你?好?.{0,40}") {
        let shown = inspect(&text);
        prop_assert!(shown.problem.is_some() || decode_tolerant(&text).is_ok());
        for path in ["00", "62.07", "26.00.01", "", "x", "99.99", "256", "62."] {
            shown.field(path);
        }
    }
}
