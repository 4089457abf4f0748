//! Wrong XML, each by its rule: well-formedness, limits, encodings, and everything that could give one message two readings.

use crate::payments::{finish, full, specs};
use codecs::payment::{Attribute, Operation, Role};
use codecs::wire::Wire;

/// A whole 142 with every field, sealed.
fn good() -> String {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let (_, wire) = finish(spec.draft("NPS.142.001.01", &full(Operation::Debit, Role::Request)).unwrap());
    String::from_utf8(wire.body).unwrap()
}

fn rule_of(body: Vec<u8>) -> String {
    let specs = specs();
    match specs.spec("nps").unwrap().parse(&Wire::queue(body)) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.rule.to_owned(),
    }
}

#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    let text = good();
    assert!(text.contains(from), "the message has no {from}");
    assert_eq!(rule_of(text.replacen(from, to, 1).into_bytes()), expected, "{to}");
}

#[test]
fn the_message_itself_is_accepted_as_are_the_habits_of_real_parties() {
    assert_eq!(rule_of(good().into_bytes()), "ok");
    check("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "", "ok");
    check(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\r\n",
        "ok",
    );
    check("urn:iso:std:iso:20022", "urn:iso:std :iso:20022", "ok");
    check("<GrpHdr>", "\r\n\t <GrpHdr>", "ok");
    check("</transaction>", "</transaction >\r\n", "ok");
    check("<GrpHdr>", "<GrpHdr><Future><Deep a=\"1\">x</Deep></Future>", "ok");
    check("<structType>XML<", "<structType>AA<", "ok");
}

#[test]
fn what_is_not_well_formed_is_refused() {
    check("</transaction>", "</transaction><transaction/>", "xml.roots");
    check("</transaction>", "</transaction>x", "xml.outside");
    check("</transaction>", "</transaction>&amp;", "xml.outside");
    check("<?xml", "x<?xml", "xml.outside");
    check("</transaction>", "", "xml.unclosed");
    check("</GrpHdr>", "", "xml.unbalanced");
    check("</GrpHdr>", "</GrpHdr></GrpHdr>", "xml.unbalanced");
    check("</transaction>", "</transaction></transaction>", "xml.unbalanced");
    check("</GrpHdr>", "</GrpHdr a=\"1\">", "xml.unbalanced");
    check("<GrpHdr>", "<GrpHdr a=\"1\" a=\"2\">", "xml.attribute_duplicate");
    check("<GrpHdr>", "<GrpHdr a=\"1\"b=\"2\">", "xml.attribute");
    check("<GrpHdr>", "<GrpHdr a=1>", "xml.attribute");
    check("<GrpHdr>", "<GrpHdr a>", "xml.attribute");
    check("<GrpHdr>", "<GrpHdr a=\"<\">", "xml.attribute");
    check("<GrpHdr>", "<GrpHdr a=\"&zz;\">", "xml.attribute");
    check("<GrpHdr>", "<GrpHdr a=\"&#49;\">", "xml.attribute");
    check("<GrpHdr>", "<1GrpHdr>", "xml.name");
    check("<GrpHdr>", "< GrpHdr>", "xml.name");
    check("<GrpHdr>", "<n:GrpHdr>", "xml.prefix");
    check("/AuthCode/AC00", "/AuthCode/AC00]]>", "xml.syntax");
}

#[test]
fn what_could_hide_or_double_a_value_is_refused() {
    check(
        "<transaction",
        "<!DOCTYPE transaction SYSTEM \"file:///etc/passwd\"><transaction",
        "xml.doctype",
    );
    check("<transaction", "<!DOCTYPE a [<!ENTITY b \"c\">]><transaction", "xml.doctype");
    check(">12.34<", ">12<!-- -->.34<", "xml.comment");
    check("<GrpHdr>", "<!-- a -- b --><GrpHdr>", "xml.comment");
    check(">12.34<", "><![CDATA[12.34]]><", "xml.cdata");
    check("<GrpHdr>", "<?pi x?><GrpHdr>", "xml.instruction");
    check("<GrpHdr>", "<?xml version=\"1.0\"?><GrpHdr>", "xml.declaration");
    check(">12.34<", ">&#49;2.34<", "xml.character_reference");
    check(">12.34<", ">&#x31;2.34<", "xml.character_reference");
    check(">12.34<", ">&zz;12.34<", "xml.entity");
    check(
        "<IntrBkSttlmAmt",
        "<IntrBkSttlmAmt Ccy=\"CNY\">0.01</IntrBkSttlmAmt><IntrBkSttlmAmt",
        "field.duplicate",
    );
    check("<PmtId>", "<PmtId></PmtId><PmtId>", "field.duplicate");
    check(
        "<Ustrd>/SttlmDt/",
        "<Ustrd>/SttlmDt/2030-01-09</Ustrd><Ustrd>/SttlmDt/",
        "field.duplicate",
    );
    check("<GrpHdr>", "<GrpHdr>text", "xml.mixed");
    check(">12.34<", ">12.34<b/><", "xml.mixed");
    check("<GrpHdr>", "<GrpHdr><Unknown>x<y/></Unknown>", "xml.mixed");
    check("<GrpHdr>", "<GrpHdr><Unknown><y/>x</Unknown>", "xml.mixed");
    check("<MsgId>", "<MsgId a=\"b\">", "xml.attribute");
    check("Ccy=\"CNY\"", "Ccy=\"USD\"", "field.currency");
    check(" Ccy=\"CNY\"", "", "field.currency");
    check("Ccy=\"CNY\"", "Ccy=\"CNY\" x=\"1\"", "field.currency");
    check("</header>", "</header><header/>", "xml.order");
    check("<body>", "<extra/><body>", "xml.order");
    check("</body>", "</body><body/>", "xml.order");
    check(
        "</FIToFICstmrDrctDbt>",
        "</FIToFICstmrDrctDbt><FIToFICstmrDrctDbt/>",
        "xml.body",
    );
    check("<transaction", "<Transaction", "xml.root");
}

#[test]
fn the_order_of_header_body_signature_is_held() {
    let text = good();
    let body = text.find("<body>").unwrap()..text.find("</body>").unwrap() + "</body>".len();
    let moved = format!("{}{}", &text[..body.start], &text[body.end..]).replace("<header>", &format!("{}<header>", &text[body]));
    assert_eq!(rule_of(moved.into_bytes()), "message.code");
}

#[test]
fn encodings_are_held_to_what_is_declared() {
    check("encoding=\"UTF-8\"", "encoding=\"GBK\"", "xml.encoding");
    check("version=\"1.0\"", "version=\"1.1\"", "xml.version");
    check(
        "version=\"1.0\" encoding=\"UTF-8\"",
        "encoding=\"UTF-8\" version=\"1.0\"",
        "xml.declaration",
    );
    check("<?xml", "\u{feff}<?xml", "encoding.bom");
    check("<?xml", " <?xml", "xml.declaration");
    check("<GrpHdr>", "\u{0}<GrpHdr>", "encoding.control");
    check("<GrpHdr>", "\u{c}<GrpHdr>", "encoding.control");
    let at = good().find("A1234567").unwrap();
    let with = |bytes: &[u8]| {
        let mut body = good().into_bytes();
        body.splice(at..at, bytes.iter().copied());
        let specs = specs();
        specs.spec("nps").unwrap().parse(&Wire::queue(body)).unwrap_err()
    };
    for bytes in [&[0xe5, 0xbc][..], &[0xc0, 0xaf], &[0xed, 0xa0, 0x80], &[0xf8]] {
        let error = with(bytes);
        assert_eq!((error.rule, error.offset), ("encoding.utf8", Some(at)), "{bytes:x?}");
    }
    assert!(with(&[0xd5, 0xc5, 0xc8, 0xfd]).detail.contains("GBK"));
    assert!(!with(&[0xff]).detail.contains("GBK"));
}

#[test]
fn limits_are_held() {
    let deep = "<a>".repeat(700_000);
    assert_eq!(rule_of(deep.clone().into_bytes()), "limit.bytes");
    check("<GrpHdr>", &format!("<GrpHdr>{}", &deep[..300_000]), "limit.depth");
    check("<GrpHdr>", &format!("<GrpHdr>{}", "<a/>".repeat(20_001)), "limit.nodes");
    check(
        "<GrpHdr>",
        &format!("<GrpHdr {}>", (0..65).map(|n| format!(" a{n}=\"\"")).collect::<String>()),
        "limit.attributes",
    );
    check(
        "<GrpHdr>",
        &format!("<GrpHdr a=\"{}\">", "x".repeat(4097)),
        "limit.attribute_bytes",
    );
    let rest = |n: usize| (0..n).map(|n| format!("<Ustrd>/X{n}/1</Ustrd>")).collect::<String>();
    check("<RmtInf>", &format!("<RmtInf>{}", rest(14)), "ok");
    check("<RmtInf>", &format!("<RmtInf>{}", rest(15)), "limit.repeats");
}

#[test]
fn fields_break_their_own_rules() {
    check(">12.34<", ">012.34<", "field.kind");
    check(">12.34<", "><", "field.length");
    check("/SttlmDt/2030-01-02", "/SttlmDt/2030-02-30", "field.kind");
    check("/AuthCode/A", "/AuthCode/|", "field.charset");
    check("<ChrgBr>CRED", "<ChrgBr>XXXX", "field.code");
    check(">20300102<", ">20301302<", "field.kind");
    check("<Ustrd>/Remark/A", "<Ustrd>/Remark/|", "signed.separator");
    check("NPS.142.001.01<", "NPS.999.001.01<", "message.unknown");
    check("NPS.142.001.01<", "NPS.143.001.01<", "xml.body");
    check("<seqNb>A1234567</seqNb>", "", "field.missing");
}

#[test]
fn sealed_fields_stay_sealed() {
    let text = good();
    let name = text.split("<Nm>").nth(1).unwrap().split('<').next().unwrap();
    check(name, "Example Pay", "seal.missing");
    check(name, "0", "seal.missing");
    check(name, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "seal.missing");
    check(name, &"A".repeat(400), "field.length");
    let envelope = text
        .split("<dgtlEnvlp>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    check(&format!("<dgtlEnvlp>{envelope}</dgtlEnvlp>"), "", "seal.envelope");
    let specs = specs();
    let open = specs.spec("nps").unwrap().with_sealing(false);
    assert_eq!(
        open.parse(&Wire::queue(text.into_bytes())).unwrap_err().rule,
        "seal.unexpected"
    );
}

#[test]
fn a_sealed_value_is_bound_to_its_place() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let wire = Wire::queue(good().into_bytes());
    let mut message = spec.parse(&wire).unwrap();
    let sealed = message.sealed_fields().unwrap();
    let expected = "203001026600001234|DrctDbtTxInf/DbtrAcct/Id/Othr/Id[0]".as_bytes();
    assert_eq!(sealed.iter().filter(|field| field.additional == expected).count(), 1);
    assert_eq!(message.payment().unwrap_err().rule, "seal.unopened");
    assert_eq!(
        message
            .set_opened(sealed[0].slot, "x".repeat(61).as_bytes())
            .unwrap_err()
            .rule,
        "field.length"
    );
    assert_eq!(message.set_opened(sealed[0].slot, &[0xff]).unwrap_err().rule, "encoding.utf8");
    assert_eq!(message.set_opened(0, b"1").unwrap_err().rule, "seal.slot");
    let envelope = message.envelope().unwrap().unwrap();
    assert_eq!((envelope.serial.as_str(), envelope.wrapped.c2.len()), ("seal-1", 16));
}

#[test]
fn signed_values_cannot_move() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let signed = |body: String| {
        let wire = Wire::queue(body.into_bytes());
        let message = spec.parse(&wire).unwrap_or_else(|error| panic!("{error}"));
        message.signed_text().unwrap()
    };
    let before = signed(good());
    let moves = [
        ("<Ustrd>/PayerAccTyp/PT05</Ustrd>", ""),
        ("/PayerAccTyp/PT05", "/PayerAccTyp/PT06"),
        ("<Ustrd>/Remark/A1234567</Ustrd>", "<Ustrd>/NewTag/A1234567</Ustrd>"),
        ("<Ustrd>/Extra/1|2</Ustrd>", "<Ustrd>/Extra/1</Ustrd><Ustrd>2</Ustrd>"),
        (
            "<CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>402100088888</MmbId></ClrSysMmbId></FinInstnId>",
            "<CdtrAgt>",
        ),
        ("<signSN>sign-1</signSN>", "<signSN>sign-2</signSN>"),
        ("<sndTm>183005", "<sndTm>183006"),
    ];
    for (from, to) in moves {
        let text = good();
        assert!(text.contains(from), "{from}");
        assert_ne!(signed(text.replacen(from, to, 1)), before, "{from} -> {to}");
    }
}

#[test]
fn the_signed_text_begins_as_the_profile_says() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let mut payment = full(Operation::Echo, Role::Request);
    for attribute in [
        Attribute::RefCode,
        Attribute::RefSenderApp,
        Attribute::RefSender,
        Attribute::RefDate,
        Attribute::RefSerial,
    ] {
        payment.clear(attribute);
    }
    let (text, _) = finish(spec.draft("NPS.991.001.01", &payment).unwrap());
    let expected = "NPS.991.001.01|NPS|402100088888|20300102|183005|MPS|402100088888|A1234567|||||\
                    |sign-1|||203001026600001234|2030-01-02T18:30:05|";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn the_header_of_a_refused_message_is_still_readable() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap();
    let peek = |from: &str, to: &str| spec.peek(&Wire::queue(good().replacen(from, to, 1).into_bytes()));
    for (from, to) in [
        ("12.34", "x"),
        ("</transaction>", ""),
        ("<GrpHdr>", "<!DOCTYPE a><GrpHdr>"),
        ("</body>", "<body>"),
    ] {
        let payment = peek(from, to).unwrap_or_else(|| panic!("{to}"));
        assert_eq!(payment.text(Attribute::Serial), Some("A1234567"));
        assert_eq!(payment.text(Attribute::Sender), Some("402100088888"));
        assert_eq!((payment.operation, payment.role), (Operation::Debit, Role::Request));
        assert_eq!(payment.text(Attribute::MsgId), None);
    }
    let unknown = peek("NPS.142.001.01<", "NPS.999.001.01<").unwrap();
    assert_eq!(
        (unknown.operation, unknown.text(Attribute::MessageCode)),
        (Operation::Notice, Some("NPS.999.001.01"))
    );
    assert!(peek("<seqNb>A1234567</seqNb>", "").is_none());
    assert!(peek("<sndDt>20300102", "<sndDt>2030010x").is_none());
    assert!(peek("</header>", "").is_none());
    let mut broken = good().into_bytes();
    let at = broken.len() - 40;
    broken[at] = 0xff;
    assert!(spec.peek(&Wire::queue(broken)).is_some());
}

#[test]
fn describing_masks_unless_told_otherwise() {
    let specs = specs();
    let spec = specs.spec("nps").unwrap().with_sealing(false);
    let (_, wire) = finish(spec.draft("NPS.142.001.01", &full(Operation::Debit, Role::Request)).unwrap());
    let message = spec.parse(&wire).unwrap();
    let value = |danger: bool, path: &str| message.describe(danger).into_iter().find(|field| field.path == path).unwrap();
    assert_eq!(value(false, "DrctDbtTxInf/Dbtr/Nm").value, "\u{5f20}********");
    assert_eq!(value(true, "DrctDbtTxInf/Dbtr/Nm").value, "\u{5f20}\u{4e09} & 'Co'");
    let shown = value(false, "DrctDbtTxInf/Dbtr/Nm");
    let at = shown.offset.unwrap();
    assert!(wire.body[at..].starts_with("\u{5f20}\u{4e09} &amp; &apos;Co&apos;".as_bytes()));
    let signed = message.signed_fields();
    assert!(signed.iter().any(|field| field.value == "CNY12.34"));
    assert!(signed.iter().any(|field| field.value == "/AuthInfo/******67"), "{signed:?}");
    assert!(!format!("{message:?}").contains("1234"));
}
