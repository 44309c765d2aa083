//! Packs made up by chance: every category, way, format, encoding, proof, rule, calendar and layout, the same for the same
//! seed. Each must be read, and pass; one that does not is a fault of the product, of the certifier, or of what is here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use city::bill::account::{AccountRule, Check};
use kernel::{Rng as _, SeededRng};

use super::accounts;

/// A pack, and the lines that it names.
pub struct Made {
    pub id: String,
    pub text: String,
    pub lines: BTreeMap<String, String>,
}

struct Dice(SeededRng);

impl Dice {
    fn below(&self, n: usize) -> usize {
        usize::try_from(self.0.u64() % n.max(1) as u64).unwrap_or(0)
    }
    fn between(&self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }
    fn one<'a, T: ?Sized>(&self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
    fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const CATEGORIES: [(&str, &str, &str); 15] = [
    ("power", "供电", "Power"),
    ("water", "自来水", "Water"),
    ("gas", "燃气", "Gas"),
    ("broadband", "宽带", "Broadband"),
    ("mobile", "移动", "Mobile"),
    ("traffic_fine", "交通罚款", "Traffic Fines"),
    ("heating", "供热", "Heating"),
    ("property", "物业", "Property"),
    ("tax", "税务", "Tax"),
    ("tv", "有线电视", "Television"),
    ("tuition", "学费", "Tuition"),
    ("social_insurance", "社会保险", "Social Insurance"),
    ("parking", "停车", "Parking"),
    ("hospital", "医院", "Hospital"),
    ("other", "收费", "Fees"),
];
const CITIES: [(&str, &str, &str); 12] = [
    ("110100", "北京", "Beijing"),
    ("120100", "天津", "Tianjin"),
    ("210100", "沈阳", "Shenyang"),
    ("310100", "上海", "Shanghai"),
    ("320100", "南京", "Nanjing"),
    ("330100", "杭州", "Hangzhou"),
    ("350100", "福州", "Fuzhou"),
    ("420100", "武汉", "Wuhan"),
    ("440100", "广州", "Guangzhou"),
    ("510100", "成都", "Chengdu"),
    ("610100", "西安", "Xi'an"),
    ("650100", "乌鲁木齐", "Urumqi"),
];

/// The pack of this number.
pub fn pack(seed: u64, nth: usize) -> Made {
    let drawn = kernel::derive_u128("generated pack", &[&seed.to_be_bytes(), &(nth as u64).to_be_bytes()]);
    let dice = Dice(SeededRng::new(u64::try_from(drawn >> 64).unwrap_or(0)));
    let id = format!("gen-{seed}-{nth:04}");
    let (category, zh, en) = CATEGORIES[nth % CATEGORIES.len()];
    let (region, city_zh, city_en) = CITIES[dice.below(CITIES.len())];
    let mut text = format!(
        "# Made up: seed {seed}, number {nth}.\nid = \"{id}\"\ncategory = \"{category}\"\nregion = \"{region}\"\n\
         name = {{ zh = \"{city_zh}{zh}{nth}\", en = \"{city_en} {en} {nth}\" }}\n\
         city = {{ zh = \"{city_zh}\", en = \"{city_en}\" }}\n\n"
    );
    let length = account(&dice, &id, &mut text);
    let mut lines = BTreeMap::new();
    // Of seven: two hand over files, one is asked itself, one also through a bank, one through a bank alone, one hands over
    // files and is asked, one is behind a service provider.
    let (by_file, asked) =
        [(true, 0), (false, 1), (true, 0), (false, 2), (false, 1), (true, 1), (false, 1)][nth / 15 % 7];
    bills(&dice, by_file, length, &mut text);
    if dice.chance(70) {
        late_fee(&dice, &mut text);
    }
    let hours = dice.chance(40);
    for way in 0..asked {
        let bank = match nth / 15 % 7 {
            3 => way == 1,
            4 => true,
            _ => false,
        };
        channel(&dice, way, hours, &mut text);
        if bank {
            let name = format!("line-{seed}-{nth}");
            let _ = write!(
                text,
                "[channels.bank]\nline = \"{name}\"\ninstitution = \"0571{:03}\"\n\n",
                nth % 1_000
            );
            lines.insert(name, line(&dice));
        } else if nth / 15 % 7 == 6 {
            let name = format!("provider-{seed}-{nth}");
            let _ = write!(
                text,
                "[channels.provider]\nconnection = \"{name}\"\ninstitution = \"33{nth:06}\"\n\n"
            );
            let mut connection = format!("timeout_s = {}\n", dice.between(1, 20));
            direct(&dice, "direct", true, &mut connection);
            lines.insert(format!("provider/{name}"), connection);
        } else {
            direct(&dice, "channels.direct", !by_file, &mut text);
        }
    }
    settlement(&dice, length, &mut text);
    Made { id, text, lines }
}

fn account(dice: &Dice, id: &str, text: &mut String) -> usize {
    let digits = |n: usize| "#".repeat(n);
    let mut rule = AccountRule {
        pattern: String::new(),
        label: None,
        check: Check::None,
        weights: Vec::new(),
        check_digits: String::new(),
        examples: Vec::new(),
        counter_examples: Vec::new(),
    };
    let check = match dice.below(5) {
        0 => {
            let head = dice.one(&["", "@", "@@", "A-", "**", "33"]);
            rule.pattern = format!("{head}{}", digits(dice.between(6, 16)));
            "none"
        }
        1 => {
            rule.check = Check::Luhn;
            rule.pattern = format!("{}{}", dice.one(&["", "33", "6", "0"]), digits(dice.between(7, 18)));
            "luhn"
        }
        2 => {
            rule.check = Check::Mod11_2;
            rule.pattern = format!("{}*", digits(dice.between(7, 17)));
            "mod11_2"
        }
        3 => {
            rule.check = Check::Mod97_10;
            rule.pattern = format!("{}{}##", dice.one(&["", "@@", "@", "GD"]), digits(dice.between(6, 14)));
            "mod97_10"
        }
        _ => {
            rule.check = Check::Weighted;
            rule.pattern = format!("{}*", digits(dice.between(6, 12)));
            let digits = ["10X98765432", "0123456789", "0123456789ABCDEFGHJKLMNPQRTUWXY"];
            dice.one(&digits).clone_into(&mut rule.check_digits);
            let count = rule.pattern.len() - 1;
            rule.weights = (0..count).map(|_| u32::try_from(dice.between(1, 97)).unwrap_or(1)).collect();
            "weighted"
        }
    };
    let good = accounts::some(&rule, 3, &kernel::hex(id.as_bytes()));
    let mut bad: Vec<String> =
        good.iter().filter_map(|number| accounts::mistyped(&rule, number)).take(1).collect();
    bad.push(good[0][1..].to_owned());
    let _ = write!(text, "[account]\npattern = {:?}\ncheck = \"{check}\"\n", rule.pattern);
    if rule.check == Check::Weighted {
        let _ = writeln!(text, "weights = {:?}\ncheck_digits = {:?}", rule.weights, rule.check_digits);
    }
    if dice.chance(30) {
        text.push_str("label = { zh = \"用户编号\", en = \"Customer number\" }\n");
    }
    let _ = write!(text, "examples = {good:?}\ncounter_examples = {bad:?}\n\n");
    rule.pattern.len()
}

/// How a file is laid out.
struct Shape {
    delimiter: Option<char>,
}

fn layout(dice: &Dice, key: &str, text: &mut String) -> Shape {
    let delimiter = if dice.chance(60) { Some(['|', ';', ',', '^', '~', '\t'][dice.below(6)]) } else { None };
    let _ =
        writeln!(text, "[{key}]\nshape = \"{}\"", if delimiter.is_some() { "delimited" } else { "fixed" });
    if let Some(delimiter) = delimiter {
        let _ = writeln!(text, "delimiter = {:?}", delimiter.to_string());
    }
    let _ = writeln!(
        text,
        "encoding = \"{}\"\namount = \"{}\"",
        dice.one(&["utf-8", "gb18030"]),
        dice.one(&["yuan", "fen"])
    );
    let _ = writeln!(text, "date = \"{}\"", dice.one(&["YYYYMMDD", "YYYY-MM-DD", "YYYY/MM/DD"]));
    let _ = writeln!(text, "period = \"{}\"", dice.one(&["YYYYMM", "YYYY-MM"]));
    let _ = writeln!(text, "line_end = \"{}\"", dice.one(&["lf", "crlf"]));
    match dice.below(3) {
        0 => {}
        1 => text.push_str("header = [\"账单文件\"]\n"),
        _ => text.push_str("header = [\"FILE 1\", \"# 第二行\"]\n"),
    }
    Shape { delimiter }
}

fn columns(dice: &Dice, shape: &Shape, key: &str, fields: &[&str], length: usize, text: &mut String) {
    let width = |field: &str| match field {
        "account_no" => length + dice.below(6),
        "bill_no" => dice.between(8, 32),
        "holder" => dice.between(6, 40),
        "period" => 7,
        "due" | "paid_on" => 10,
        "reference" => dice.between(30, 40),
        "tag" => dice.between(8, 12),
        "count" => dice.between(6, 10),
        "ignore" => dice.between(1, 9),
        _ => dice.between(11, 18),
    };
    let _ = writeln!(text, "{key} = [");
    for field in fields {
        let width =
            if shape.delimiter.is_none() { format!(", width = {}", width(field)) } else { String::new() };
        let _ = writeln!(text, "    {{ field = \"{field}\"{width} }},");
    }
    text.push_str("]\n");
}

fn totals(dice: &Dice, shape: &Shape, key: &str, text: &mut String) {
    if !dice.chance(65) {
        return;
    }
    let at = dice.one(&["first", "last"]);
    let _ =
        writeln!(text, "[{key}.totals]\nat = \"{at}\"\ntag = \"{}\"", dice.one(&["TOTAL", "=SUM=", "TRL"]));
    let mut fields = vec!["tag", "count", "sum"];
    if dice.chance(40) {
        fields.swap(1, 2);
    }
    if dice.chance(30) {
        fields.push("ignore");
    }
    columns(dice, shape, "columns", &fields, 0, text);
}

fn shuffled<'a>(dice: &Dice, mut fields: Vec<&'a str>) -> Vec<&'a str> {
    for at in (1..fields.len()).rev() {
        fields.swap(at, dice.below(at + 1));
    }
    fields
}

fn bills(dice: &Dice, by_file: bool, length: usize, text: &mut String) {
    let rule = dice.one(&["exact", "exact", "up_to", "at_least", "any"]);
    let _ = writeln!(
        text,
        "[bills]\nsource = \"{}\"\namount_rule = \"{rule}\"",
        if by_file { "file" } else { "live" }
    );
    let _ = writeln!(text, "quote_valid_s = {}", dice.one(&[&60, &300, &900, &86_400]));
    let _ = writeln!(text, "claim_timeout_s = {}", dice.one(&[&30, &120, &3_600]));
    let due = dice.chance(60);
    if by_file != due {
        let _ = writeln!(text, "due_days_after_period = {}", dice.between(0, 40));
    }
    text.push('\n');
    if !by_file {
        return;
    }
    // `due` or the month decides when it is due; what was written above says which.
    let due = !text.contains("due_days_after_period");
    let shape = layout(dice, "bills.file", text);
    let mut fields = vec!["account_no", "bill_no", "amount"];
    fields.push(if due { "due" } else { "period" });
    if due && dice.chance(50) {
        fields.push("period");
    }
    if dice.chance(70) {
        fields.push("holder");
    }
    let mut fields = shuffled(dice, fields);
    if dice.chance(30) {
        fields.insert(dice.below(fields.len() + 1), "ignore");
    }
    columns(dice, &shape, "columns", &fields, length, text);
    totals(dice, &shape, "bills.file", text);
    text.push('\n');
}

fn late_fee(dice: &Dice, text: &mut String) {
    text.push_str("[late_fee]\n");
    if dice.chance(75) {
        let _ = writeln!(text, "bps_per_day = {}", dice.between(1, 60));
    } else {
        let _ = writeln!(text, "fixed_minor = {}", dice.between(1, 2_000));
    }
    let _ = writeln!(text, "grace_days = {}", dice.one(&[&0, &0, &1, &3, &10]));
    if dice.chance(60) {
        let _ = writeln!(text, "cap_bps = {}", dice.one(&[&100, &1_000, &3_000, &10_000]));
    }
    let _ = write!(text, "calendar = \"{}\"\n\n", dice.one(&["natural", "workdays"]));
}

fn settlement(dice: &Dice, length: usize, text: &mut String) {
    let method = dice.one(&["net", "gross"]);
    let _ = writeln!(
        text,
        "[settlement]\nmethod = \"{method}\"\nfee_bps = {}",
        dice.one(&[&0, &5, &10, &38, &1_000])
    );
    let _ = writeln!(
        text,
        "days = {}\ncalendar = \"{}\"\n",
        dice.between(0, 5),
        dice.one(&["natural", "workdays"])
    );
    let shape = layout(dice, "settlement.file", text);
    let mut fields = vec!["reference", "amount"];
    for field in ["account_no", "bill_no", "period", "late_fee", "fee", "net", "paid_on", "holder", "ignore"]
    {
        if dice.chance(60) {
            fields.push(field);
        }
    }
    columns(dice, &shape, "columns", &shuffled(dice, fields), length, text);
    totals(dice, &shape, "settlement.file", text);
    if dice.chance(40) {
        text.push('\n');
        let shape = layout(dice, "settlement.returned", text);
        let mut fields = vec!["reference", "amount"];
        for field in ["account_no", "paid_on", "ignore"] {
            if dice.chance(40) {
                fields.push(field);
            }
        }
        columns(dice, &shape, "columns", &shuffled(dice, fields), length, text);
        totals(dice, &shape, "settlement.returned", text);
    }
}

fn channel(dice: &Dice, nth: usize, hours: bool, text: &mut String) {
    let _ = writeln!(text, "[[channels]]\nname = \"{}\"", ["main", "second"][nth]);
    let _ = writeln!(text, "cost_minor = {}\ncost_bps = {}", dice.below(30), dice.below(20));
    let _ = writeln!(text, "timeout_s = {}", dice.between(1, 20));
    if hours {
        // Several ways of a pack must be open together for some time.
        let hours: [&str; 4] = [
            r#"["08:00-20:00"]"#,
            r#"["00:30-23:30"]"#,
            r#"["09:00-12:00", "13:30-22:00"]"#,
            r#"["22:00-16:00"]"#,
        ];
        let _ = writeln!(text, "hours = {}", dice.one(&hours));
    }
    if dice.chance(40) {
        let _ = writeln!(text, "rate_per_s = {}", dice.one(&[&1, &5, &50]));
    }
}

const MEANINGS: [&str; 11] = [
    "ok",
    "unknown",
    "refused",
    "duplicate",
    "pending",
    "account_unknown",
    "nothing_due",
    "amount_differs",
    "already_paid",
    "closed",
    "busy",
];

fn codes(dice: &Dice, dialect: usize) -> String {
    // The first three no interface can do without; of the others some.
    let said = MEANINGS.iter().enumerate().filter(|(at, _)| *at < 3 || dice.chance(60));
    let code = |at: usize| match dialect {
        0 => format!("{at:04}"),
        1 => format!("E{:02}", at + 10),
        2 => at.to_string(),
        _ => MEANINGS[at].to_uppercase(),
    };
    let each: Vec<String> = said.map(|(at, meaning)| format!("{:?} = {meaning:?}", code(at))).collect();
    format!("{{ {} }}", each.join(", "))
}

/// An interface over HTTP; of a provider every question names the institution.
fn direct(dice: &Dice, key: &str, with_query: bool, text: &mut String) {
    let json = dice.chance(60);
    let _ = writeln!(text, "[{key}]\nformat = \"{}\"", if json { "json" } else { "xml" });
    let mut headers = Vec::new();
    let stamped = dice.chance(60);
    if stamped {
        headers.push(format!("\"x-time\" = \"{}\"", dice.one(&["{timestamp_ms}", "{timestamp_s}"])));
        if dice.chance(70) {
            let _ = writeln!(text, "clock_skew_s = {}", dice.one(&[&30, &300, &900]));
        }
    }
    if dice.chance(30) {
        headers.push("\"x-nonce\" = \"{nonce}\"".to_owned());
    }
    if key == "direct" {
        headers.push("\"x-org\" = \"{institution}\"".to_owned());
    }
    let root = dice.one(&["Envelope.Body.Answer.", "Response."]);
    let prefix = if json { dice.one(&["", "head.", "result."]) } else { root };
    let _ = writeln!(
        text,
        "code = \"{prefix}{}\"\ncodes = {}",
        dice.one(&["code", "ResultCode"]),
        codes(dice, dice.below(4))
    );
    let _ = writeln!(text, "headers = {{ {} }}", headers.join(", "));
    let signed = match (stamped, dice.below(2)) {
        (true, 0) if headers[0].contains("_ms") => "{method}&{path}&{timestamp_ms}&{body}",
        (_, 0) => "{method} {path} {body}",
        _ => "{path}|{body}",
    };
    match dice.below(4) {
        0 => {}
        1 => {
            let _ = write!(text, "[{key}.auth]\nkind = \"basic\"\nsecret = \"login\"\n");
        }
        2 => {
            let _ = write!(
                text,
                "[{key}.auth]\nkind = \"hmac-sha256\"\nsecret = \"key\"\nheader = \"X-Sign\"\ntext = {signed:?}\n"
            );
        }
        _ => {
            let _ = write!(
                text,
                "[{key}.auth]\nkind = \"rsa-sha256\"\nsecret = \"rsa\"\nheader = \"Signature\"\ntext = {signed:?}\n"
            );
        }
    }
    let base = dice.one(&["/v1", "/api", "/pay/2", ""]);
    let (unit, place) = if dice.chance(50) { ("fen", "{amount.fen}") } else { ("yuan", "{amount.yuan}") };
    if with_query {
        if json && dice.chance(50) {
            let _ = writeln!(text, "[{key}.query]\nmethod = \"GET\"\npath = \"{base}/debts/{{account_no}}\"");
        } else if json {
            let _ = writeln!(
                text,
                "[{key}.query]\npath = \"{base}/debts\"\nbody = '{{\"no\":\"{{account_no}}\"}}'"
            );
        } else {
            let _ = writeln!(
                text,
                "[{key}.query]\npath = \"{base}/debts\"\nbody = '<Query><No>{{account_no}}</No></Query>'"
            );
        }
        let at = if json {
            dice.one(&["bills", "data.bills", "data.list"]).to_owned()
        } else {
            format!("{root}Bill")
        };
        let name = if json { dice.one(&["no", "bill.no"]) } else { dice.one(&["@no", "No"]) };
        let _ = writeln!(
            text,
            "[{key}.query.debts]\nat = \"{at}\"\nbill_no = \"{name}\"\namount = \"amount\"\nunit = \"{unit}\""
        );
        // Whoever says nothing of the day, or of the month, is due as the pack says.
        text.push_str("due = \"due\"\n");
        let _ = writeln!(text, "date = \"{}\"", dice.one(&["YYYYMMDD", "YYYY-MM-DD"]));
        if dice.chance(60) {
            text.push_str("period = \"month\"\n");
        }
        if dice.chance(60) {
            text.push_str("holder = \"name\"\n");
        }
    }
    let asked = |name: &str, more: &str| {
        if json {
            format!(
                "path = \"{base}/{name}\"\nbody = '{{\"id\":\"{{payment}}\",\"no\":\"{{account_no}}\",\"bill\":\"{{bill_no}}\",\"amount\":\"{place}\"{more}}}'\n"
            )
        } else {
            let more = if more.is_empty() { "" } else { "<Ref>{reason}</Ref>" };
            format!(
                "path = \"{base}/{name}\"\nbody = '<{name} id=\"{{payment}}\"><No>{{account_no}}</No><Bill>{{bill_no}}</Bill><Amount>{place}</Amount>{more}</{name}>'\n"
            )
        }
    };
    let _ = write!(text, "[{key}.pay]\n{}", asked("pay", ""));
    if dice.chance(50) {
        let _ = write!(text, "[{key}.inquire]\nmethod = \"GET\"\npath = \"{base}/pay/{{payment}}\"\n");
    } else {
        let _ = write!(text, "[{key}.inquire]\n{}", asked("inquire", ""));
    }
    let _ = write!(text, "[{key}.reverse]\n{}", asked("reverse", ""));
    if dice.chance(50) {
        let _ = write!(text, "[{key}.refund]\n{}", asked("refund", ",\"ref\":\"{reason}\""));
    }
    if !with_query || dice.chance(40) {
        let _ = write!(text, "[{key}.probe]\nmethod = \"GET\"\npath = \"{base}/ping\"\n");
    }
    text.push('\n');
}

/// The line of a bank.
fn line(dice: &Dice) -> String {
    let bcd = dice.chance(50);
    let mut text = format!(
        "base = \"1987-{}\"\nacquirer = \"{}\"\nterminal = \"YIMA0001\"\nmerchant = \"898330048990001\"\ntransmission = \"{}\"\n",
        if bcd { "bcd" } else { "ascii" },
        1_000 + dice.below(9_000),
        dice.one(&["utc", "local"]),
    );
    let _ = writeln!(text, "[framing]\nlength = \"{}\"", dice.one(&["binary2", "binary4", "ascii4"]));
    if dice.chance(40) {
        text.push_str("header = \"6000030000\"\n");
    }
    if dice.chance(30) {
        text.push_str("length_counts_itself = true\n");
    }
    let gb = dice.chance(40);
    if gb {
        let prefix = if bcd { "bcd" } else { "ascii" };
        let _ = writeln!(
            text,
            "[field]\n62 = {{ name = \"Debts\", class = \"ans\", length = 999, prefix = 3, prefix_form = \"{prefix}\", form = \"gb18030\" }}"
        );
    }
    if dice.chance(60) {
        let _ = writeln!(text, "[mac]\nfield = {}\nsecret = \"bank-mac\"", dice.one(&[&64, &128]));
    }
    let query = dice.one(&["0100", "0200"]);
    let _ = write!(
        text,
        "[query]\ncode = \"310000\"\nmti = \"{query}\"\n[pay]\ncode = \"190000\"\n[inquire]\ncode = \"380000\"\nmti = \"{query}\"\n"
    );
    if dice.chance(50) {
        text.push_str("[refund]\ncode = \"200000\"\n");
    }
    text.push_str("[codes]\n\"26\" = \"already_paid\"\n");
    if dice.chance(50) {
        text.push_str("\"55\" = \"nothing_due\"\n\"09\" = \"busy\"\n");
    }
    let delimiter = dice.one(&["|", "^", ";"]);
    let _ = write!(
        text,
        "[content.48]\nlayout = \"delimited\"\ndelimiter = \"{delimiter}\"\nparts = [\"institution\", \"account_no\", \"bill_no\", \"period\"]\n"
    );
    text.push_str("[content.61]\nlayout = \"tlv\"\ntag = 2\nlength = 3\ntags = { 01 = \"payment\", 02 = \"reference\" }\n");
    let unit = dice.one(&["fen", "yuan"]);
    if dice.chance(50) {
        let _ = write!(
            text,
            "[debts]\nfield = 62\nbetween = \"#\"\nunit = \"{unit}\"\n[debts.each]\nlayout = \"delimited\"\ndelimiter = \"|\"\nparts = [\"bill_no\", \"amount\", \"due\", \"period\", \"holder\"]\n"
        );
    } else {
        let _ = write!(
            text,
            "[debts]\nfield = 62\nunit = \"{unit}\"\ndate = \"YYYY-MM-DD\"\n[debts.each]\nlayout = \"tlv\"\ntag = 2\nlength = 2\ntags = {{ 01 = \"bill_no\", 02 = \"amount\", 03 = \"due\", 04 = \"period\", 05 = \"holder\" }}\n"
        );
    }
    text
}
