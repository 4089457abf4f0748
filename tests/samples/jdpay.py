"""Samples of codecs/jdpay: facts/institutions.md 5.1, names and numbers invented but for what JD's own server sent."""

import base64
import re
import sys

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
ORDER = "20300102183005000001"
NOTIFY = "POST /jdpay/notify/pay"
OURS = "48616e67752d746573742d6b65792d6f662d333a44455321"


def tools():
    return sys.modules["__main__"]


def elements(pairs):
    inside = lambda value: elements(value) if isinstance(value, dict) else value.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"<{key}>{inside(value)}</{key}>" for key, value in pairs.items())


def document(pairs, head=HEAD):
    return f"{head}<jdpay>{elements(pairs)}</jdpay>"


def pkcs1(data):
    """RSA over the bytes as they are, padded but without a DigestInfo."""
    return base64.b64encode(tools().on_file(data, lambda file: tools().openssl(
        "pkeyutl", "-sign", "-inkey", tools().key("rsa-sign"), "-pkeyopt", "rsa_padding_mode:pkcs1", "-in", file))).decode()


def digest(text):
    return tools().openssl("dgst", "-sha256", data=text.encode()).split()[-1].decode()


def cipher(data, key=OURS, *more):
    return tools().openssl("enc", *more, "-des-ede3", "-nopad", "-K", key, data=data)


def framed(data, length=None, filling=b"\0"):
    text = (len(data) if length is None else length).to_bytes(4, "big") + data
    return text + filling * (-len(text) % 8)


def travelling(ciphertext):
    return base64.b64encode(ciphertext.hex().encode()).decode()


def sealed(text):
    return travelling(cipher(framed(text.encode())))


OUTSIDE = {"version": "V2.0", "merchant": "110000001"}


def around(text, more=None):
    return document(OUTSIDE | (more or {}) | {"encrypt": sealed(text)})


def signed(pairs, head=HEAD, sign=None):
    """The clear document with its signature as its last element."""
    pairs = OUTSIDE | pairs
    text = document(pairs, head)
    return document(pairs | {"sign": sign or pkcs1(digest(text).encode())}, head)


DONE = {"result": {"code": "000000", "desc": "成功"}}
DEBIT = {"device": "001", "token": "280000000000000001", "tradeNum": ORDER, "tradeName": "茶 & 点心", "tradeTime": ORDER[:14], "amount": "1234",
         "currency": "CNY"}
TRADE = {"tradeNum": ORDER, "tradeType": "0", "amount": "1234", "currency": "CNY", "tradeTime": ORDER[:14], "note": "", "status": "2"}
NOTICE = DONE | TRADE
LINES = ["key: rsa-sign", "opens: jdpay-shared"]
ANSWERS = "header: hangu-answers = "
PAID = ["payment: operation = notice", "payment: outcome = success", "payment: amount = 1234", f"payment: original.end_to_end_id = {ORDER}"]


def write(name, start, body, more, expect="ok"):
    is_wrong = expect != "ok" or any(line.startswith("verdict") for line in more)
    made = "made with openssl after facts/institutions.md 5.1" + ("; wrong on purpose" if is_wrong else "")
    tools().write("jdpay", name, [f"expect: {expect}", f"source: {made}", f"start: {start}", *more], body)


def good(name, start, body, more):
    write(name, start, body, [*LINES, *more])


def wrong(name, rule, start, body, more=()):
    """Refused by what stands around the content; with no key, the clear content itself is."""
    write(f"wrong_{name}", start, body, list(more), expect=rule)


def unverified(name, verdict, start, body, more=()):
    write(f"wrong_{name}", start, body, [*LINES, f"verdict: {verdict}", *more])


def make():
    published()
    (tools().KEYS / "jdpay-shared.mac").write_text(OURS + "\n")
    good("debit", "POST /service/fkmPay", around(signed(DEBIT)), [
        "payment: operation = debit", "payment: amount = 1234", f"payment: com.serial = {ORDER}", "payment: agreement = 280000000000000001",
        "payment: remark = 茶 & 点心"])
    good("notice_pay", NOTIFY, around(signed(NOTICE)), PAID)
    spaced = document(OUTSIDE | NOTICE, '<?xml version="1.0" encoding="UTF-8" ?>').replace("<note></note>", "<note />")
    spaced = spaced.replace("</jdpay>", f"<sign>{pkcs1(digest(spaced).encode())}</sign></jdpay>")
    good("notice_pay_self_closing", NOTIFY, around(spaced), PAID)
    first = signed(NOTICE)
    sign = re.search("<sign>.*</sign>", first).group()
    good("notice_pay_signature_first", NOTIFY, around(first.replace(sign, "").replace("<jdpay>", f"<jdpay>{sign}")), PAID)
    answer = [f"{ANSWERS}query.answer"]
    good("query_paid", "200", around(signed(DONE | TRADE), DONE), answer + ["payment: operation = query", "payment: outcome = success"])
    good("query_created", "200", around(signed(DONE | TRADE | {"status": "0"})), answer + ["payment: outcome = unknown"])
    good("query_new_state", "200", around(signed(DONE | TRADE | {"status": "77"})), answer + ["payment: outcome = unknown"])
    failing = {"result": {"code": "EEN9999", "desc": "失败"}}
    good("result_outside_says_nothing", "200", around(signed(DONE | TRADE), failing), answer + ["payment: outcome = success"])
    repeated = {"result": {"code": "EEN0015", "desc": "已成功"}, "tradeNum": ORDER}
    good("debit_repeated", "200", around(signed(repeated)), [f"{ANSWERS}fkmPay.answer", "payment: operation = debit", "payment: outcome = unknown"])
    good("refund_refused", "200", around(signed(failing)), [f"{ANSWERS}refund.answer", "payment: outcome = failed other: 失败"])
    tools().write("jdpay", "acknowledged", ["expect: ok", "source: general knowledge", "start: 200", "payment: operation = ack"], "success")
    wrong_signatures()
    wrong_sealing()
    wrong_inside()
    wrong_outside()


def published():
    """What JD's server sent to the public test merchant, as the tests and pages of a library hold it."""
    (tools().KEYS / "jdpay-test.mac").write_text(base64.b64decode("ta4E/aspLA3lgFGKmNDNRYU92RkZ4w2t").hex() + "\n")
    (tools().KEYS / "jdpay-test.pub.pem").write_bytes((tools().ROOT / "keys/testdata/legacy/jdpay.pub.pem").read_bytes())
    merchant = {"version": "V2.0", "merchant": "22294531"} | DONE
    refund = {"tradeNum": "1494236491939_r", "oTradeNum": "1494236491939", "amount": "1", "currency": "CNY", "tradeTime": "20170508180239",
              "note": "", "status": "1", "sign": SIGNED_REFUND}
    notice = {"tradeNum": "asd784374823472389_r", "tradeType": "2", "oTradeNum": "asd784374823472389", "amount": "1", "currency": "CNY",
              "tradeTime": "20170510162925", "note": "", "status": "1", "sign": SIGNED_NOTICE}
    of_test = ["key: jdpay-test", "opens: jdpay-test"]
    for name, source, start, inside, more in [
        ("refund_answer", "vectors 5: test/jd_pay/result_test.rb", "200", refund, [
            f"{ANSWERS}refund.answer", "payment: outcome = success", "payment: amount = 1", "payment: com.serial = 1494236491939_r"]),
        ("termination_answer", "5.1: test/jd_pay/service_test.rb", "200", {"sign": SIGNED_TERMINATION}, [
            f"{ANSWERS}cancelUserRelation.answer", "payment: operation = terminate", "payment: outcome = success"]),
        ("refund_notice", "5.1: README.md", "POST /jdpay/notify/refund", notice, [
            "payment: outcome = success", "payment: original.operation = refund", "payment: original.end_to_end_id = asd784374823472389_r"]),
    ]:
        key = (tools().KEYS / "jdpay-test.mac").read_text().strip()
        body = document(merchant | {"encrypt": travelling(cipher(framed(document(merchant | inside).encode()), key))})
        lines = ["expect: ok", f"source: facts/institutions.md {source} of genkin-he/jdpay", f"start: {start}"]
        tools().write("jdpay", f"published_{name}", [*lines, *of_test, *more], body)
        if name == "refund_answer":
            # The published bytes, not only their clear text.
            assert digest(re.search("<encrypt>(.*)</encrypt>", body).group(1)) == PUBLISHED_CIPHERTEXT
        altered = document(merchant | inside).replace("000000", "000001", 1)
        body = document(merchant | {"encrypt": travelling(cipher(framed(altered.encode()), key))})
        lines = [f"{line}, altered" if line.startswith("source") else line for line in lines]
        heads = [line for line in more if line.startswith("header")]
        tools().write("jdpay", f"wrong_published_{name}_altered", [*lines, *of_test, "verdict: signature.invalid", *heads], body)


def wrong_signatures():
    text = document(OUTSIDE | NOTICE)
    raw = bytes.fromhex(digest(text))
    for name, sign in [
        ("digest_info", base64.b64encode(tools().rsa_sign("rsa-sign", text.encode())).decode()),
        ("digest_info_of_hex", base64.b64encode(tools().rsa_sign("rsa-sign", digest(text).encode())).decode()),
        ("raw_digest", pkcs1(raw)),
        ("upper_hex", pkcs1(digest(text).upper().encode())),
        ("empty_signature_signed", pkcs1(digest(document(OUTSIDE | NOTICE | {"sign": ""})).encode())),
        ("without_declaration", pkcs1(digest(text.removeprefix(HEAD)).encode())),
        ("line_end_signed", pkcs1(digest(text + "\n").encode())),
        ("sorted_pairs_signed", pkcs1(digest("&".join(f"{k}={v}" for k, v in sorted(TRADE.items()) if v)).encode())),
    ]:
        unverified(name, "signature.invalid", NOTIFY, around(signed(NOTICE, sign=sign)))
    body = signed(NOTICE)
    for name, verdict, old, new in [
        ("amount_altered", "signature.invalid", "<amount>1234<", "<amount>1<"),
        ("state_altered", "signature.invalid", "<status>2<", "<status>1<"),
        ("unknown_added", "signature.invalid", "<status>", "<coupon>1</coupon><status>"),
        ("space_added", "signature.invalid", "<status>", " <status>"),
        ("note_self_closing", "signature.invalid", "<note></note>", "<note/>"),
        ("unsigned", "field.missing", re.search("<sign>.*</sign>", body).group(), ""),
        ("signature_twice", "field.duplicate", "<sign>", "<sign>AAAA</sign><sign>"),
        ("signature_nested", "field.missing", re.search("<sign>.*</sign>", body).group(),
         f"<x>{re.search('<sign>.*</sign>', body).group()}</x>"),
        ("signature_tag_spaced", "signed.text", "<sign>", "<sign >"),
        ("signature_broken", "field.kind", "<sign>", "<sign>*"),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        unverified(name, verdict, NOTIFY, around(changed))


def wrong_sealing():
    text = signed(NOTICE).encode()
    other = document(OUTSIDE | {"encrypt": travelling(cipher(framed(text), OURS[:-2] + "4f"))})
    unverified("other_key", "seal.invalid", NOTIFY, other)
    for name, clear in [
        ("length_beyond", framed(text, len(text) + 9)),
        ("length_short", framed(text, len(text) - 1)),
        ("length_huge", framed(text, 2**32 - 1)),
        ("filling_not_zero", framed(text + b"x" * (-(len(text) + 5) % 8), None, b"\1")),
        ("filling_block", framed(text) + b"\0" * 8),
        ("no_length", text + bytes([-len(text) % 8 or 8]) * (-len(text) % 8 or 8)),
    ]:
        unverified(name, "seal.invalid", NOTIFY, document(OUTSIDE | {"encrypt": travelling(cipher(clear))}))
    sealed_text = cipher(framed(text))
    chained = tools().openssl("enc", "-des-ede3-cbc", "-nopad", "-K", OURS, "-iv", "00" * 8, data=framed(text))
    unverified("chained", "seal.invalid", NOTIFY, document(OUTSIDE | {"encrypt": travelling(chained)}))
    unverified("blocks_swapped", "xml.root", NOTIFY, document(OUTSIDE | {"encrypt": travelling(
        sealed_text[:48] + sealed_text[56:64] + sealed_text[48:56] + sealed_text[64:])}))
    for name, encrypt in [
        ("upper_hex_sealed", base64.b64encode(sealed_text.hex().upper().encode()).decode()),
        ("bytes_sealed", base64.b64encode(sealed_text).decode()),
        ("hex_only", sealed_text.hex()),
        ("half_block", travelling(sealed_text[:-4])),
    ]:
        wrong(name, "seal.missing at encrypt", NOTIFY, document(OUTSIDE | {"encrypt": encrypt}), ["opens: jdpay-shared"])


def wrong_inside():
    """Well signed, but no message: what is inside is read as strictly as any other."""
    for name, verdict, text in [
        ("amount_twice", "field.duplicate", document(OUTSIDE | NOTICE).replace("<amount>", "<amount>1</amount><amount>")),
        ("amount_yuan", "field.charset", document(OUTSIDE | NOTICE | {"amount": "12.34"})),
        ("amount_nested", "xml.mixed", document(OUTSIDE | NOTICE).replace("1234</amount>", "<v>1234</v></amount>")),
        ("currency", "field.code", document(OUTSIDE | NOTICE | {"currency": "USD"})),
        ("kind_of_refund", "field.code", document(OUTSIDE | NOTICE | {"tradeType": "1"})),
        ("version", "capsule.differs", document(OUTSIDE | NOTICE | {"version": "V1.0"})),
        ("merchant", "capsule.differs", document(OUTSIDE | NOTICE | {"merchant": "110000002"})),
        ("entity", "xml.entity", document(OUTSIDE | NOTICE).replace("CNY", "&cny;")),
        ("character_reference", "xml.character_reference", document(OUTSIDE | NOTICE).replace("1234", "&#49;234")),
        ("comment", "xml.comment", document(OUTSIDE | NOTICE).replace("<amount>", "<!-- --><amount>")),
        ("cdata", "xml.cdata", document(OUTSIDE | NOTICE).replace("1234", "<![CDATA[1234]]>")),
        ("doctype", "xml.doctype", document(OUTSIDE | NOTICE).replace("<jdpay>", "<!DOCTYPE jdpay><jdpay>")),
        ("root", "xml.root", document(OUTSIDE | NOTICE).replace("jdpay>", "JDPAY>")),
        ("two_roots", "xml.roots", document(OUTSIDE | NOTICE) + "<jdpay></jdpay>"),
        ("attribute", "xml.attribute", document(OUTSIDE | NOTICE).replace("<amount>", '<amount x="1">')),
    ]:
        sign = f"<sign>{pkcs1(digest(text).encode())}</sign>"
        at = text.rindex("</")
        unverified(f"inside_{name}", verdict, NOTIFY, around(text[:at] + sign + text[at:]))
    clear = signed(NOTICE)
    wrong("clear_lacks_amount", "field.missing at amount", NOTIFY, clear.replace("<amount>1234</amount>", ""))
    wrong("clear_pay_as_refund", "field.code at tradeType", "POST /jdpay/notify/refund", clear)
    wrong("clear_target", "http.target", "POST /service/uniorder", clear)
    wrong("clear_answers_nothing", "message.code", "200", clear)
    wrong("clear_request_as_answer", "message.mismatch", "200", signed(DEBIT), [f"{ANSWERS}fkmPay"])
    wrong("clear_success_with_error", "http.status", "500", signed(DONE | TRADE), [f"{ANSWERS}query.answer"])


def wrong_outside():
    body = around(signed(NOTICE))
    opens = ["opens: jdpay-shared"]
    for name, rule, old, new in [
        ("sealed_missing", "field.missing at encrypt", re.search("<encrypt>.*</encrypt>", body).group(), ""),
        ("sealed_twice", "field.duplicate", "<encrypt>", "<encrypt>AAAA</encrypt><encrypt>"),
        ("sealed_nested", "xml.mixed", "<encrypt>", "<encrypt><x/>"),
        ("sealed_deeper", "field.missing at encrypt", re.search("<encrypt>.*</encrypt>", body).group(), "<x><encrypt>AAAA</encrypt></x>"),
        ("sealed_attribute", "xml.attribute", "<encrypt>", '<encrypt x="1">'),
        ("merchant_twice", "field.duplicate", "<merchant>", "<merchant>1</merchant><merchant>"),
        ("around_doctype", "xml.doctype", "<jdpay>", "<!DOCTYPE jdpay><jdpay>"),
        ("around_comment", "xml.comment", "<jdpay>", "<jdpay><!-- -->"),
        ("around_root", "xml.root", "<jdpay>", "<jd>"),
        ("around_bom", "encoding.bom", "<?xml", "\ufeff<?xml"),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        wrong(name, rule, NOTIFY, changed, opens)
    wrong("refused_unsigned", "field.missing at encrypt", "200",
          document(OUTSIDE | {"result": {"code": "EEN9999", "desc": "验签失败"}}), [*opens, f"{ANSWERS}query.answer"])
    wrong("page", "xml.root", "200", "<html><body>404</body></html>", [*opens, f"{ANSWERS}query.answer"])
    unverified("around_no_version", "capsule.differs", NOTIFY, body.replace("<version>V2.0</version>", ""))


SIGNED_REFUND = ("W4g4PwHlh7OM60uz72MYH4+5PW1lJyFoHiKGFczOGDHdATqAAqbRy4p+sXU04FlsA29UpEfY3Fsct1IAhL5D7y1/tgZDRB+tGe1Tm0zTeFcK"
                 "QjV8UU7bfRC+Mi3OdQgQvJ2JIIJcsxpXyQmeG2Vr/77aPhCY8hNEQObDp8fDDFc=")
SIGNED_NOTICE = ("BCXTs/MNTuxXUUswh3WVXzm/eFcSTaGl4y6MAiJUTRjELeSUrrvE2sEhz84IJJdPJyCaev5AAIGiyonJ1AAl7Mopd2EY45xxMCoAJ81cc81A"
                 "khOgFjTnUyeIXUWPfLerpMN9bRoXODJppurQ9szfG2N1J6iLTOBW47oMClNYXd0=")
SIGNED_TERMINATION = ("DUUlg3VLAFgx7vT6nCRBagmyJ8O8xsGC70kb6z9FjSO6vy3Vi7VNJ9rYizT+zP4JXOWxyeOAcgpY4O1I5tT1xrmh0N6k/z8PmRbKYXjUNNY9"
                      "99+teh5Ahwy9aigHw0u1ilWFcKmAMhF1gfyjX66WSKxMQASnDHTCEh8m1VBf76o=")
# SHA-256 of the published ciphertext, in two halves.
PUBLISHED_CIPHERTEXT = "b41a7408c368423856e0f906671097ed" "8ed682337c6d1595395ea5c19c59f08b"
