"""Samples of codecs/tenpay-v2: facts/institutions.md 1, names and numbers invented."""

import base64
import re
import sys

APPLY = "POST /pay/pappayapply"
QUERY = "POST /pay/paporderquery"
NOTIFY = "POST /tenpay-v2/notify/trade"


def tools():
    return sys.modules["__main__"]


def text(pairs, excluded=("sign",)):
    return "&".join(f"{key}={pairs[key]}" for key in sorted(pairs) if pairs[key] and key not in excluded)


def digest(kind, key, data):
    signed = f"{data}&key={key}".encode()
    arguments = ["-md5"] if kind == "MD5" else ["-sha256", "-mac", "HMAC", "-macopt", f"key:{key}"]
    return tools().openssl("dgst", "-binary", *arguments, data=signed).hex().upper()


def xml(pairs, cdata=True):
    value = (lambda v: f"<![CDATA[{v}]]>") if cdata else (lambda v: v.replace("&", "&amp;").replace("<", "&lt;"))
    return "<xml>" + "".join(f"<{key}>{value(pairs[key])}</{key}>" for key in pairs) + "</xml>"


def vectors():
    """Vector 1a of the facts."""
    data, key = "appid=wxd930ea5d5a258f4f&body=test&device_info=1000&mch_id=10000100&nonce_str=ibuaiVcKdpRxkhJA", "192006250b4c09247ec02edce69f6a2d"
    assert digest("MD5", key, data) == "9A0A8659F005D6984697E2CA0A9CF3B7"
    assert digest("HMAC-SHA256", key, data) == "6A9AE1657590FD6257D693A078E1C3E4" "BB6BA4DC30B23E0EE2496E54170DACD6"


class Maker:
    def __init__(self, suite):
        self.suite, self.kind = suite, "MD5" if suite == "md5" else "HMAC-SHA256"
        self.key = (tools().KEYS / "tenpay-v2.mac").read_text()

    def sign(self, data):
        return digest(self.kind, self.key, data)

    def signed(self, pairs):
        whole = {"appid": "wxd678efh567hg6787", "mch_id": "1900000109", "nonce_str": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", "sign_type": self.kind} | pairs
        return whole | {"sign": self.sign(text(whole))}

    def write(self, name, start, body, more, expect="ok"):
        wrong = expect != "ok" or any(line.startswith("verdict") for line in more)
        made = "made with openssl after facts/institutions.md 1" + ("; wrong on purpose" if wrong else "")
        heads = ["header: hangu-answers = paporderquery.answer"] if start == "200" else []
        tools().write("tenpay-v2", name, [f"expect: {expect}", f"source: {made}", f"suite: {self.suite}", f"start: {start}", *heads, *more], body)

    def good(self, name, start, body, more):
        self.write(name, start, body, ["key: tenpay-v2", *more])

    def wrong(self, name, rule, start, body):
        self.write(f"wrong_{name}", start, body, [], expect=rule)

    def unverified(self, name, verdict, start, body):
        self.write(f"wrong_{name}", start, body, ["key: tenpay-v2", f"verdict: {verdict}"])


DEBIT = {"body": "茶 & 点心=1+1", "out_trade_no": "20300102183005000001", "total_fee": "1234", "trade_type": "PAP", "contract_id": "202001020000000001", "attach": ""}
PAID = {"return_code": "SUCCESS", "result_code": "SUCCESS", "out_trade_no": "20300102183005000001", "transaction_id": "4200000000203001020000000001",
        "total_fee": "1234", "trade_state": "SUCCESS", "bank_type": "CFT", "REMARK": "new", "is_subscribe": "Y"}
NOTICE = {"return_code": "SUCCESS", "result_code": "SUCCESS", "out_trade_no": "20300102183005000001", "transaction_id": "4200000000203001020000000001",
          "total_fee": "1234", "contract_id": "202001020000000001", "bank_type": "CFT"}
DEBIT_LINES = ["payment: operation = debit", "payment: amount = 1234", "payment: agreement = 202001020000000001", "payment: remark = 茶 & 点心=1+1"]


def make():
    vectors()
    published(PUBLISHED_PAIRS)
    hmac, md5 = Maker("hmac"), Maker("md5")
    for maker in [hmac, md5]:
        maker.good(f"debit_{maker.suite}", APPLY, xml(maker.signed(DEBIT)), DEBIT_LINES)
        maker.good(f"notice_{maker.suite}", NOTIFY, xml(maker.signed(NOTICE)), ["payment: outcome = success", "payment: original.operation = debit"])
    hmac.good("debit_escaped", APPLY, xml(hmac.signed(DEBIT), cdata=False), DEBIT_LINES)
    hmac.good("query_paid", "200", xml(hmac.signed(PAID)), ["payment: outcome = success", "payment: amount = 1234"])
    failed = {"return_code": "SUCCESS", "result_code": "FAIL", "err_code": "ORDERNOTEXIST", "err_code_des": "订单不存在"}
    hmac.good("query_not_found", "200", xml(hmac.signed(failed)), ["payment: outcome = failed original_not_found: 订单不存在"])
    hmac.good("query_system_error", "200", xml(hmac.signed(failed | {"err_code": "SYSTEMERROR"})), ["payment: outcome = unknown"])
    tools().write("tenpay-v2", "acknowledged", ["expect: ok", "source: facts/institutions.md 1", "start: 200", "payment: operation = ack"],
                  "<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>")
    wrong(hmac, md5)
    refund_notices(hmac)


# The notice of a refund: no signature, its content under AES-256-ECB and the hex digits of the key's MD5.

REFUND = "POST /tenpay-v2/notify/refund"
REFUNDED = {"out_refund_no": "20300102183005000009", "out_trade_no": "20300102183005000000", "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS",
            "refund_fee": "1000", "refund_id": "50000000382030010200000001", "refund_recv_accout": "招商银行信用卡0403", "refund_status": "SUCCESS",
            "settlement_refund_fee": "1000", "success_time": "2030-01-02 18:30:04", "total_fee": "1234", "transaction_id": "4200000000203001020000000001"}


def ecb(clear, key):
    return base64.b64encode(tools().openssl("enc", "-aes-256-ecb", "-K", key.encode().hex(), data=clear.encode())).decode()


def req_info(clear, key):
    return ecb(clear, tools().openssl("dgst", "-binary", "-md5", data=key.encode()).hex())


def refund_notices(hmac):
    # Vector 1b of the facts, whose key is what MD5 gives.
    assert ecb("hello", "0123456789abcdef" * 2) == "pZwJZBLuy3mDACEQT4YTBw=="
    inside = lambda pairs: re.sub(">(?=<[a-z])", ">\n", xml(pairs).replace("xml>", "root>"))
    outside = lambda sealed: xml({"return_code": "SUCCESS", "appid": "wxd678efh567hg6787", "mch_id": "1900000109",
                                  "nonce_str": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", "req_info": sealed})
    opens = ["key: tenpay-v2", "opens: tenpay-v2"]
    sealed = req_info(inside(REFUNDED), hmac.key)
    hmac.write("refund_notice", REFUND, outside(sealed), [*opens, "payment: operation = notice", "payment: original.operation = refund",
               "payment: original.end_to_end_id = 20300102183005000009", "payment: amount = 1000"])
    for name, verdict, value in [
        ("req_info_other_key", "seal.invalid", req_info(inside(REFUNDED), "AnotherKeyOfThirtyTwoCharacters_")),
        ("req_info_no_refund", "field.missing", req_info(inside({k: v for k, v in REFUNDED.items() if k != "out_refund_no"}), hmac.key)),
        ("req_info_amount_twice", "field.duplicate", req_info(inside(REFUNDED).replace("<refund_fee>", "<refund_fee>1</refund_fee><refund_fee>"), hmac.key)),
        ("req_info_amount_in_yuan", "field.charset", req_info(inside(REFUNDED | {"refund_fee": "10.00"}), hmac.key)),
        ("req_info_other_root", "xml.syntax", req_info(xml(REFUNDED), hmac.key)),
        ("req_info_doctype", "xml.doctype", req_info("<!DOCTYPE root>" + inside(REFUNDED), hmac.key)),
        ("req_info_json", "xml.syntax", req_info('{"out_refund_no":"20300102183005000009"}', hmac.key)),
        ("req_info_half_a_block", "seal.missing", base64.b64encode(bytes(24)).decode()),
    ]:
        hmac.write(f"wrong_{name}", REFUND, outside(value), [*opens, f"verdict: {verdict}"])
    hmac.wrong("req_info_in_clear", "field.kind at req_info", REFUND, outside("refund_status=SUCCESS&out_refund_no=1"))
    hmac.wrong("req_info_absent", "field.missing at req_info", REFUND, outside(""))
    hmac.wrong("refund_notice_failed", "field.code at return_code", REFUND, outside(sealed).replace("SUCCESS", "FAIL", 1))


# Vector 1a as a message: the published text and digest, which no call of the spec carries; it lacks what a debit requires.
PUBLISHED_PAIRS = {"appid": "wxd930ea5d5a258f4f", "mch_id": "10000100", "device_info": "1000", "body": "test", "nonce_str": "ibuaiVcKdpRxkhJA",
                   "sign": "9A0A8659F005D6984697E2CA0A9CF3B7"}


def published(pairs):
    lines = ["source: facts/institutions.md vector 1a", "suite: md5", f"start: {APPLY}"]
    tools().write("tenpay-v2", "wrong_published_lacks_order", ["expect: field.missing at out_trade_no", *lines], xml(pairs))
    header = "header: hangu-answers = deletecontract.answer"
    answer = ["expect: field.missing at return_code", lines[0], "suite: md5", "start: 200", header]
    tools().write("tenpay-v2", "wrong_published_as_answer", answer, xml(pairs))


def wrong(hmac, md5):
    debit = hmac.signed(DEBIT)
    hmac.unverified("amount_altered", "signature.invalid", APPLY, xml(debit | {"total_fee": "1"}))
    hmac.unverified("lower_case", "signature.encoding", APPLY, xml(debit | {"sign": debit["sign"].lower()}))
    hmac.unverified("without_key", "signature.invalid", APPLY,
                    xml(debit | {"sign": tools().openssl("dgst", "-binary", "-sha256", "-mac", "HMAC", "-macopt", f"key:{hmac.key}",
                                                         data=text(debit).encode()).hex().upper()}))
    hmac.unverified("empty_signed", "signature.invalid", APPLY, xml(debit | {"sign": hmac.sign(
        "&".join(f"{key}={debit[key]}" for key in sorted(debit) if key != "sign"))}))
    hmac.unverified("kind_unsigned", "signature.invalid", APPLY, xml(debit | {"sign": hmac.sign(text(debit, ("sign", "sign_type")))}))
    hmac.unverified("sorted_without_case", "signature.invalid", "200", xml(hmac.signed(PAID) | {"sign": hmac.sign(
        "&".join(f"{key}={value}" for key, value in sorted(hmac.signed(PAID).items(), key=lambda pair: pair[0].lower()) if key != "sign"))}))
    hmac.unverified("unsigned", "field.missing", APPLY, xml({key: value for key, value in debit.items() if key != "sign"}))
    md5.unverified("md5_state_altered", "signature.invalid", NOTIFY, xml(md5.signed(NOTICE) | {"total_fee": "1"}))
    hmac.unverified("unknown_added", "signature.invalid", APPLY, xml(debit | {"coupon_fee": "1"}))
    body = xml(debit)
    for name, rule, old, new in [
        ("md5_for_hmac", "field.code at sign_type", "HMAC-SHA256", "MD5"),
        ("amount_twice", "field.duplicate", "<total_fee>", "<total_fee>1</total_fee><total_fee>"),
        ("amount_empty", "field.missing at total_fee", "<![CDATA[1234]]>", ""),
        ("amount_split", "xml.unbalanced", "<![CDATA[1234]]>", "<![CDATA[12]]><![CDATA[34]]>"),
        ("amount_cdata_and_text", "xml.unbalanced", "<![CDATA[1234]]>", "<![CDATA[12]]>34"),
        ("amount_comment", "xml.unbalanced", "<![CDATA[1234]]>", "12<!-- -->34"),
        ("amount_entity", "xml.entity", "<![CDATA[1234]]>", "&amount;"),
        ("amount_character_reference", "xml.entity", "<![CDATA[1234]]>", "&#49;234"),
        ("amount_yuan", "field.charset at total_fee", "<![CDATA[1234]]>", "<![CDATA[12.34]]>"),
        ("amount_nested", "xml.unbalanced", "<![CDATA[1234]]>", "<v>1234</v>"),
        ("cdata_open", "xml.syntax", "</xml>", "<x><![CDATA[1</x></xml>"),
        ("attribute", "xml.syntax", "<total_fee>", '<total_fee x="1">'),
        ("prefix", "xml.syntax", "<total_fee>", "<a:total_fee>"),
        ("comment", "xml.comment", "<total_fee>", "<!-- --><total_fee>"),
        ("text_between", "xml.syntax", "<total_fee>", "x<total_fee>"),
        ("doctype", "xml.doctype", "<xml>", '<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml>'),
        ("declaration", "xml.instruction", "<xml>", '<?xml version="1.0"?><xml>'),
        ("two_roots", "xml.syntax", "</xml>", "</xml><xml></xml>"),
        ("root", "xml.syntax", "<xml>", "<XML>"),
        ("bom", "encoding.bom", "<xml>", "\ufeff<xml>"),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        hmac.wrong(name, rule, APPLY, changed)
    hmac.wrong("page", "xml.syntax", "200", "<html><body>404</body></html>")
    hmac.wrong("target", "http.target", "POST /pay/orderquery", body)
