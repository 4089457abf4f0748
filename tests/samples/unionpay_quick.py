"""Samples of codecs/unionpay-quick: facts/institutions.md 6.2, names and numbers invented."""

import base64
import sys

PLACE = "POST /unionpay/quick"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
SERIAL = "4000000001"
TRX_ID = "2030010200000001"
TRADE = (f"<TrxInf><TrxId>{TRX_ID}</TrxId><TrxDtTm>2030-01-02T18:30:05</TrxDtTm><TrxAmt>CNY12.34</TrxAmt>"
         "<SettlmtDt>2030-01-02</SettlmtDt></TrxInf>")
PAY = f"{TRADE}<BizTp>100001</BizTp><SgnNo>90000000000000000001</SgnNo><PyeeInf><PyeeNm>Example Pay</PyeeNm></PyeeInf>"
ANSWER = f"<SysRtnInf><SysRtnCd>00000000</SysRtnCd></SysRtnInf><TrxInf><TrxId>{TRX_ID}</TrxId></TrxInf>"
REFUND = f"{TRADE}<OriTrxInf><TrxId>2030010200000000</TrxId></OriTrxInf>"
SENSITIVE = ("<AcctId>6200000000000000001</AcctId><AcctNm>张三</AcctNm><IDTp>01</IDTp><IDNo>110101199001011237</IDNo>"
             "<MobNo>13800000000</MobNo><ExpDt>a022</ExpDt><CvnNo></CvnNo>")
KEYS = {"sm": b"1234567890123456", "rsa": b"123456782234567832345678"}


def tools():
    return sys.modules["__main__"]


def digest(kind, data):
    return tools().openssl("dgst", f"-{kind}", "-binary", data=data)


def zero_padded(suite, key, text):
    """The cipher and padding of SensInf."""
    block, cipher = (16, "-sm4-cbc") if suite == "sm" else (8, "-des-ede3-cbc")
    clear = text.encode()
    clear += bytes(-len(clear) % block)
    return base64.b64encode(tools().openssl("enc", cipher, "-K", key.hex(), "-iv", "0" * block * 2, "-nopad", data=clear)).decode()


def raw_key(wrapped):
    """04 C1 C3 C2 of the ASN.1 that OpenSSL writes."""
    der = base64.b64decode(wrapped)
    parts, at = [], 2
    while at < len(der):
        parts.append(der[at + 2:at + 2 + der[at + 1]])
        at += 2 + der[at + 1]
    x, y, c3, c2 = parts
    point = b"".join(part[-32:].rjust(32, b"\0") for part in (x, y))
    return base64.b64encode(b"\4" + point + c3 + c2).decode()


class Maker:
    def __init__(self, suite):
        self.suite = suite
        self.key = f"{'sm2' if suite == 'sm' else 'rsa'}-sign"
        self.flag = "1" if suite == "sm" else "0"

    def sign(self, text, user_id=SERIAL, hashes=2, raw=True):
        kind = "sm3" if self.suite == "sm" else "sha256"
        data = digest(kind, text.encode()) if hashes == 2 else text.encode()
        if self.suite == "rsa":
            return base64.b64encode(tools().rsa_sign("rsa-sign", data)).decode()
        signed = base64.b64encode(tools().sm2_sign("sm2-sign", data, user_id)).decode()
        return tools().raw(signed) if raw else signed

    def document(self, code, body, direction="11", extra="", flags=None):
        one, two, three = flags or self.flag * 3
        return ('<root xmlns="namespace_string"><MsgHeader><MsgVer>1000</MsgVer><SndDt>2030-01-02T18:30:05</SndDt>'
                f"<Trxtyp>{code}</Trxtyp><IssrId>00010000</IssrId><Drctn>{direction}</Drctn><SignSN>{SERIAL}</SignSN>{extra}"
                f"<MDAlgo>{one}</MDAlgo><SignEncAlgo>{two}</SignEncAlgo><EncAlgo>{three}</EncAlgo></MsgHeader>"
                f"<MsgBody>{body}</MsgBody></root>")

    def sealed(self, text=SENSITIVE, key=None, wrap=None):
        wrapped = tools().wrap(self.suite, KEYS[self.suite])
        wrapped = (wrap or (raw_key if self.suite == "sm" else str))(wrapped)
        value = zero_padded(self.suite, key or KEYS[self.suite], text)
        body = (f"<SensInf>{value}</SensInf><TrxInf><TrxId>{TRX_ID}</TrxId><TrxDtTm>2030-01-02T18:30:05</TrxDtTm></TrxInf>")
        return self.document("0201", body, extra=f"<EncSN>4000000002</EncSN><EncKey>{wrapped}</EncKey>")

    def whole(self, text, **options):
        return f"{DECLARATION}{text}{{S:{self.sign(text, **options)}}}"

    def write(self, name, start, body, more, expect="ok"):
        is_wrong = expect != "ok" or any(line.startswith("verdict") for line in more)
        made = "made with openssl after facts/institutions.md 6.2" + ("; wrong on purpose" if is_wrong else "")
        lines = [f"expect: {expect}", f"source: {made}", f"suite: {self.suite}", f"start: {start}", *more]
        tools().write("unionpay-quick", name, lines, body)

    def keyed(self):
        return [f"key: {self.key}", *([f"user_id: {SERIAL}"] if self.suite == "sm" else [])]

    def good(self, name, text, more, start=PLACE):
        self.write(name, start, self.whole(text), [*self.keyed(), *more])

    def wrong(self, name, rule, body, start=PLACE):
        self.write(f"wrong_{name}", start, body, [], expect=rule)

    def unverified(self, name, verdict, body, more=()):
        self.write(f"wrong_{name}", PLACE, body, [*self.keyed(), f"verdict: {verdict}", *more])


PAY_LINES = ["payment: operation = debit", "payment: amount = 1234", f"payment: com.serial = {TRX_ID}",
             "payment: agreement = 90000000000000000001", "payment: settlement_date = 2030-01-02"]
SIGN_LINES = ["payment: operation = sign", "payment: payer.account = 6200000000000000001", "payment: payer.name = 张三",
              "payment: id_number = 110101199001011237", "payment: mobile = 13800000000"]


# Vector 6b, CupSecTest: what this file seals like must come to the published text.
PUBLISHED = {"sm": "U7OeiVFSnYTImx5JjhvlhUQM8GxD2PLCeVD9MJ6X5w5I4GRMm2JySzGnxxtHyb+f",
             "rsa": "cgmlbh1cMcuA4l46nGHpjjrlF7PBh0cusu6Xu3q6/bNRUxehOVY4OQ=="}


def make():
    for suite, value in PUBLISHED.items():
        assert zero_padded(suite, KEYS[suite], "<ExpDt>a022</ExpDt><CvnNo></CvnNo>") == value
    for suite, opens in [("sm", "sm2-seal"), ("rsa", "rsa-seal")]:
        maker = Maker(suite)
        maker.good(f"pay_{suite}", maker.document("1001", PAY), PAY_LINES)
        maker.good(f"pay_answer_{suite}", maker.document("1001", ANSWER, direction="12"),
                   ["payment: operation = debit", "payment: outcome = success"], start="200")
        maker.good(f"sign_{suite}", maker.sealed(), [f"opens: {opens}", *SIGN_LINES])
        wrong_seals(maker, opens)
    sm = Maker("sm")
    sm.good("refund", sm.document("1101", REFUND), ["payment: operation = refund", "payment: original.end_to_end_id = 2030010200000000"])
    refused = ANSWER.replace("00000000</SysRtnCd>", "ES000025</SysRtnCd>")
    sm.good("pay_refused", sm.document("1001", refused, direction="12"), ["payment: outcome = failed signature_invalid: "], start="200")
    wrong(sm)
    rsa = Maker("rsa")
    rsa.unverified("rsa_hashed_once", "signature.invalid", rsa.whole(rsa.document("1001", PAY), hashes=1))


def wrong(sm):
    pay = sm.document("1001", PAY)
    trailer = f"{{S:{sm.sign(pay)}}}"
    sm.unverified("amount_altered", "signature.invalid", DECLARATION + pay.replace("CNY12.34", "CNY1234.00") + trailer)
    sm.unverified("hashed_once", "signature.invalid", sm.whole(pay, hashes=1))
    sm.unverified("default_user_id", "signature.invalid", sm.whole(pay, user_id="1234567812345678"))
    sm.unverified("der_signature", "signature.encoding", sm.whole(pay, raw=False))
    sm.unverified("declaration_signed", "signature.invalid", f"{DECLARATION}{pay}{{S:{sm.sign(DECLARATION + pay)}}}")
    sm.unverified("line_end_inside", "signature.invalid", DECLARATION + pay.replace("<MsgBody>", "\r\n<MsgBody>") + trailer)
    sm.wrong("flags_differ", "field.code at MsgHeader/EncAlgo", sm.whole(sm.document("1001", PAY, flags="110")))
    sm.wrong("other_suite", "field.code at MsgHeader/MDAlgo", sm.whole(sm.document("1001", PAY, flags="000")))
    sm.wrong("kind_unknown", "message.unknown", sm.whole(sm.document("1005", PAY)))
    sm.wrong("answer_as_request", "field.missing at TrxInf/TrxDtTm", sm.whole(sm.document("1001", ANSWER)))
    sm.wrong("request_as_answer", "field.missing at SysRtnInf/SysRtnCd", sm.whole(pay), start="200")
    sm.wrong("trailer_missing", "signature.trailer", DECLARATION + pay)
    sm.wrong("trailer_twice", "xml.outside", DECLARATION + pay + trailer + trailer)
    sm.wrong("two_documents", "xml.roots", DECLARATION + pay + pay + trailer)
    sm.wrong("gbk", "xml.encoding", DECLARATION.replace("UTF-8", "GBK") + pay + trailer)
    sm.wrong("target", "http.target", sm.whole(pay), start="POST /unionpay")
    sm.wrong("amount_without_currency", "field.kind at TrxInf/TrxAmt", sm.whole(pay.replace("CNY12.34", "0012.34")))
    sm.wrong("no_such_day", "field.kind at TrxInf/SettlmtDt", sm.whole(pay.replace("2030-01-02</S", "2030-02-30</S")))
    sm.wrong("sealed_missing", "field.missing at SensInf", sm.whole(sm.document("0201", TRADE)))
    sealed = sm.sealed()
    at = sealed.index("<EncKey>")
    bare = sealed[:at] + sealed[sealed.index("</EncKey>") + 9:]
    sm.wrong("no_envelope", "seal.envelope at SensInf", sm.whole(bare))
    value = sealed[sealed.index("<SensInf>") + 9:sealed.index("</SensInf>")]
    sm.wrong("unsealed", "seal.missing at SensInf", sm.whole(sealed.replace(value, "6200000000000000001")))
    sm.unverified("key_as_asn1", "envelope.encoding", sm.whole(sm.sealed(wrap=str)), ["opens: sm2-seal"])


def wrong_seals(maker, opens):
    suite, more = maker.suite, [f"opens: {opens}"]
    other = bytes(reversed(KEYS[suite]))
    maker.unverified(f"{suite}_other_key", "encoding.utf8", maker.whole(maker.sealed(key=other)), more)
    cases = {"element_twice": ("field.duplicate", SENSITIVE + "<AcctId>1</AcctId>"),
             "element_inside": ("xml.unknown", SENSITIVE.replace("a022", "<A>1</A>")),
             "doctype_inside": ("xml.doctype", "<!DOCTYPE a>" + SENSITIVE),
             "unclosed_inside": ("xml.unbalanced", SENSITIVE + "<Open>"),
             "closing_outside": ("xml.roots", SENSITIVE + "</sealed><sealed>"),
             "no_account": ("field.missing", SENSITIVE.replace("AcctId", "AccountId")),
             "mobile_letters": ("field.charset", SENSITIVE.replace("13800000000", "1380000000x"))}
    for name, (verdict, text) in cases.items():
        maker.unverified(f"{suite}_{name}", verdict, maker.whole(maker.sealed(text)), more)
