"""Samples of codecs/epcc: facts/clearing.md 2, names and numbers invented."""

import sys

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
TRX_ID = "2030010200000000000000010900001"


def tools():
    return sys.modules["__main__"]


def header(code, direction="22", issuer="G4000311000018", extra=""):
    return (f"<MsgHeader><SndDt>2030-01-02T18:30:05</SndDt><MsgTp>epcc.{code}.001.01</MsgTp><IssrId>{issuer}</IssrId>"
            f"<Drctn>{direction}</Drctn><SignSN>4000000001</SignSN>{extra}</MsgHeader>")


def document(code, body, **options):
    return f'<root xmlns="namespace_string">{header(code, **options)}<MsgBody>{body}</MsgBody></root>'


DEBIT = (
    "<PyerInf><PyerAcctIssrId>C1099999000051</PyerAcctIssrId><PyerAcctTp>00</PyerAcctTp><SgnNo>90000000000000000001</SgnNo>"
    "<PyerTrxTrmTp>08</PyerTrxTrmTp><PyerTrxTrmNo>T0001</PyerTrxTrmNo></PyerInf><RPFlg></RPFlg><PyeeInf>"
    "<PyeeAcctIssrId>Z2099999000010</PyeeAcctIssrId><PyeeAcctId>1000000001</PyeeAcctId><PyeeNm>Example Pay</PyeeNm>"
    "<PyeeAcctTp>04</PyeeAcctTp><PyeeCtryNo>CN</PyeeCtryNo><PyeeAreaNo>110101</PyeeAreaNo></PyeeInf><ResfdInf>"
    "<InstgAcctId>990000001</InstgAcctId><InstgAcctNm>reserve</InstgAcctNm><ResfdAcctIssrId>Z2099999000010</ResfdAcctIssrId>"
    f"</ResfdInf><TrxInf><TrxId>{TRX_ID}</TrxId><TrxDtTm>2030-01-02T18:30:05</TrxDtTm><TrxAmt>CNY12.34</TrxAmt>"
    "<TrxCtgy>0110</TrxCtgy><BizTp>100001</BizTp></TrxInf><OrdrInf><OrdrId>900000000000000001</OrdrId>"
    "<OrdrDesc>1|1|shop%1%02%%%%1#1#tea^CNY12.34^1|</OrdrDesc><PltfrmNm>example</PltfrmNm></OrdrInf>"
    "<BatchId>B203001020019</BatchId><TrxDevcInf>203.0.113.9||||||</TrxDevcInf>")

REPLY = (
    "<SysRtnInf><SysRtnCd>00000000</SysRtnCd><SysRtnDesc>ok</SysRtnDesc><SysRtnTm>2030-01-02T18:30:06</SysRtnTm></SysRtnInf>"
    f"<BizInf><BizStsCd>00000000</BizStsCd><BizStsDesc>ok</BizStsDesc><TrxCtgy>0110</TrxCtgy><TrxId>{TRX_ID}</TrxId>"
    "<DbtrBankId>2030010200000000001</DbtrBankId><TrxAmt>CNY12.34</TrxAmt><TrxStatus>00</TrxStatus>"
    "<TrxFinishTm>2030-01-02T18:30:06</TrxFinishTm><BatchId>B203001020019</BatchId></BizInf>")

NOTICE = (
    f"<TrxInf><TrxId>{TRX_ID}</TrxId><TrxDtTm>2030-01-02T18:30:05</TrxDtTm><TrxAmt>CNY12.34</TrxAmt><TrxCtgy>0121</TrxCtgy>"
    "</TrxInf><BatchId>B203001020019</BatchId><SysRtnInf><SysRtnCd>00000000</SysRtnCd></SysRtnInf>"
    "<BizInf><BizStsCd>00000000</BizStsCd><TrxStatus>00</TrxStatus></BizInf>")


def signing(suite, values):
    """Body and extra header of 101 with the given function over sealed values."""
    data_key = b"0123456789abcdef" if suite == "sm" else b"0123456789ABCDEF0123456789abcdef"
    prefix = b"02|" if suite == "sm" else b"01|"
    envelope = tools().wrap(suite, prefix + data_key)
    account, name, number, mobile = (values(data_key, text) for text in
                                     ["6200000000000000001", "张三", "110101199001011237", "13800000000"])
    extra = f"<NcrptnSN>4000000002</NcrptnSN><DgtlEnvlp>{envelope}</DgtlEnvlp>"
    body = (f"<SgnInf><SgnAcctIssrId>C1099999000051</SgnAcctIssrId><SgnAcctTp>00</SgnAcctTp><SgnAcctId>{account}</SgnAcctId>"
            f"<SgnAcctNm>{name}</SgnAcctNm><IDTp>01</IDTp><IDNo>{number}</IDNo><MobNo>{mobile}</MobNo></SgnInf><TrxInf>"
            f"<TrxCtgy>0202</TrxCtgy><TrxId>{TRX_ID}</TrxId><TrxDtTm>2030-01-02T18:30:05</TrxDtTm><AuthMsg>123456</AuthMsg>"
            "</TrxInf><InstgInf><InstgId>Z2099999000010</InstgId></InstgInf>")
    return body, extra


class Maker:
    def __init__(self, suite):
        self.suite = suite
        self.key = "sm2-sign" if suite == "sm" else "rsa-sign"

    def lines(self, expect, start, more):
        made = f"made with openssl after facts/clearing.md 2{'' if expect == 'ok' else '; wrong on purpose'}"
        if any(line.startswith("verdict") for line in more):
            made += "; wrong on purpose"
        return [f"expect: {expect}", f"source: {made}", f"suite: {self.suite}", f"start: {start}", *more]

    def signed(self, text, before=DECLARATION, between=""):
        return f"{before}{text}{between}{{S:{tools().sign(self.suite, text.encode())}}}"

    def good(self, name, text, more, start="POST /preSvr", **options):
        lines = self.lines("ok", start, [f"key: {self.key}", *more])
        tools().write("epcc", name, lines, self.signed(text, **options))

    def wrong(self, name, rule, body, start="POST /preSvr"):
        tools().write("epcc", f"wrong_{name}", self.lines(rule, start, []), body)

    def unverified(self, name, verdict, body, more=()):
        lines = self.lines("ok", "POST /preSvr", [f"key: {self.key}", f"verdict: {verdict}", *more])
        tools().write("epcc", f"wrong_{name}", lines, body)


DEBIT_LINES = [
    "field: PyerInf/SgnNo = 900000**********0001",
    "payment: operation = debit",
    "payment: amount = 1234",
    f"payment: end_to_end_id = {TRX_ID}",
    f"payment: com.serial = {TRX_ID}",
    "payment: settlement_date = 2030-01-02",
    "payment: agreement = 90000000000000000001",
]
SIGN_LINES = [
    "payment: operation = sign",
    "payment: payer.account = 6200000000000000001",
    "payment: payer.name = 张三",
    "payment: id_number = 110101199001011237",
    "payment: mobile = 13800000000",
]


def make():
    sm, rsa = Maker("sm"), Maker("rsa")
    debit = document("201", DEBIT)
    sm.good("201", debit, DEBIT_LINES)
    rsa.good("201_rsa", debit, DEBIT_LINES)
    pretty = debit.replace("<MsgBody>", "\r\n <MsgBody>\r\n")
    sm.good("201_spaced", pretty, DEBIT_LINES[1:],
            before='<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n', between="\r\n")
    sm.good("202", document("202", REPLY, direction="12", issuer="C1099999000051"),
            ["payment: outcome = success", "payment: bank_tx_id = 2030010200000000001"], start="200")
    sm.good("208", document("208", NOTICE),
            ["payment: operation = notice", "payment: outcome = success", "payment: original.operation = refund",
             f"payment: original.end_to_end_id = {TRX_ID}"])
    sm.good("303", document("303", "<SysRtnInf><SysRtnCd>00000000</SysRtnCd></SysRtnInf>", direction="12"),
            ["payment: operation = ack"], start="200")
    for maker, opens in [(sm, "sm2-seal"), (rsa, "rsa-seal")]:
        body, extra = signing(maker.suite, lambda key, text, suite=maker.suite: tools().seal(suite, key, text))
        maker.good(f"101_{maker.suite}", document("101", body, extra=extra), [f"opens: {opens}", *SIGN_LINES])
    wrong(sm, debit)


def wrong(sm, debit):
    signature = tools().sign("sm", debit.encode())
    trailer = f"{{S:{signature}}}"
    altered = debit.replace("CNY12.34<", "CNY1234.00<")
    sm.unverified("amount_altered", "signature.invalid", DECLARATION + altered + trailer)
    sm.unverified("declaration_signed", "signature.invalid",
                  f"{DECLARATION}{debit}{{S:{tools().sign('sm', (DECLARATION + debit).encode())}}}")
    sm.unverified("user_id", "signature.invalid",
                  f"{DECLARATION}{debit}{{S:{tools().sign('sm', debit.encode(), user_id='4000000001')}}}")
    sm.unverified("reformatted", "signature.invalid", DECLARATION + debit.replace("<RPFlg></RPFlg>", "<RPFlg/>") + trailer)
    sm.unverified("raw_signature", "signature.encoding", f"{DECLARATION}{debit}{{S:{tools().raw(signature)}}}")
    body, extra = signing("sm", lambda key, text: tools().seal("sm", b"another key of 1", text))
    sealed = document("101", body, extra=extra)
    sm.unverified("other_data_key", "seal.invalid", sm.signed(sealed), ["opens: sm2-seal"])
    clear = document("101", signing("sm", lambda key, text: text)[0], extra=extra)
    sm.wrong("unsealed", "seal.missing at SgnInf/SgnAcctId", sm.signed(clear))
    whole = DECLARATION + debit + trailer
    sm.wrong("trailer_missing", "signature.trailer", DECLARATION + debit)
    sm.wrong("trailer_first", "signature.trailer", trailer + debit)
    sm.wrong("trailer_unclosed", "signature.trailer", whole[:-1])
    sm.wrong("trailer_twice", "xml.outside", whole + trailer)
    sm.wrong("text_before_trailer", "xml.outside", DECLARATION + debit + "x" + trailer)
    sm.wrong("two_documents", "xml.roots", DECLARATION + debit + debit + trailer)
    sm.wrong("signature_hex", "field.kind at {S:}", DECLARATION + debit + "{S:00ff0}")
    sm.wrong("doctype", "xml.doctype", DECLARATION + "<!DOCTYPE root>" + debit + trailer)
    sm.wrong("bom", "encoding.bom", "\ufeff" + whole)
    sm.wrong("target", "http.target", whole, start="POST /postSvr")
    sm.wrong("get", "http.target", whole, start="GET /preSvr")
    sm.wrong("request_as_answer", "message.mismatch", whole, start="200")
    for name, rule, old, new in [
        ("amount_without_currency", "field.kind at TrxInf/TrxAmt", "CNY12.34<", "0000012.34<"),
        ("amount_other_currency", "field.kind at TrxInf/TrxAmt", "CNY12.34<", "USD12.34<"),
        ("amount_twice", "field.duplicate", "<TrxCtgy>", "<TrxAmt>CNY0.01</TrxAmt><TrxCtgy>"),
        ("amount_cdata", "xml.cdata", "CNY12.34<", "<![CDATA[CNY12.34]]><"),
        ("amount_comment", "xml.comment", "CNY12.34<", "CNY1<!-- -->2.34<"),
        ("amount_empty", "field.missing at TrxInf/TrxAmt", "CNY12.34</TrxAmt", "</TrxAmt"),
        ("trx_id_short", "field.length at TrxInf/TrxId", TRX_ID, TRX_ID[1:]),
        ("batch_no_day", "field.kind at BatchId", "B20300102", "B20300230"),
        ("message_unknown", "message.unknown", "epcc.201", "epcc.999"),
        ("serial_missing", "field.missing at MsgHeader/SignSN", "<SignSN>4000000001</SignSN>", ""),
        ("two_bodies", "xml.order", "</MsgBody>", "</MsgBody><MsgBody></MsgBody>"),
        ("header_last", "xml.order", "</MsgBody>", "</MsgBody>" + header("205")),
        ("agreement_missing", "field.missing at PyerInf/SgnNo", "<SgnNo>90000000000000000001</SgnNo>", ""),
    ]:
        changed = debit.replace(old, new)
        assert changed != debit, name
        sm.wrong(name, rule, sm.signed(changed))
