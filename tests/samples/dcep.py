"""Samples of codecs/dcep: facts/clearing.md 4, names and numbers invented."""

import base64
import re
import sys

import cnaps2

BANK, OTHER = "C1099999000051", "C1088888000042"
MSG_ID = "20300102183005000000000000000001"
SIGNER, SEALER = "4200000001", "4100000002"
DATA_KEY = bytes.fromhex("00f1e2d3c4b5a697887968594a3b2c1d")
DEBIT, DEBITED, QUERY = "dcep.225.001.01", "dcep.226.001.01", "dcep.411.001.01"


def tools():
    return sys.modules["__main__"]


def header(code, more=None):
    """202 characters."""
    fields = [("version", 2, "04"), ("sender", 14, BANK), ("sender_system", 4, "DCPS"), ("receiver", 14, OTHER), ("receiver_system", 4, "DCPS"),
              ("date", 8, "20300102"), ("time", 6, "183005"), ("structure", 3, "XML"), ("code", 20, code), ("id", 40, MSG_ID), ("ref", 40, MSG_ID),
              ("priority", 1, "3"), ("direction", 1, "U"), ("sender_reserve", 10, ""), ("receiver_reserve", 10, ""), ("centre_reserve", 10, ""),
              ("reserve", 9, "")]
    return "{H:" + "".join((more or {}).get(name, value).ljust(width) for name, width, value in fields) + "}\r\n"


def seal(clear):
    return tools().seal("sm", DATA_KEY, clear)


def document(code, root, pairs):
    body = cnaps2.nested(pairs).replace("<TrxAmt>", '<TrxAmt Ccy="CNY">')
    return f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:dcep:std:{code}"><{root}>{body}</{root}></Document>'


def group():
    return [("GrpHdr/MsgId", MSG_ID), ("GrpHdr/CreDtTm", "2030-01-02T18:30:05"), ("GrpHdr/InstgPty/InstgDrctPty", BANK),
            ("GrpHdr/InstdPty/InstdDrctPty", OTHER)]


TRADE = [("TrxInf/TrxId", "DC2030010200000001"), ("TrxInf/TrxAmt", "12.34"), ("TrxInf/Rmk", "兑出 & 备注")]
PARTIES = [("DbtrInf/DbtrNm", "赵一"), ("DbtrInf/DbtrAcct", "6217000000000000001"), ("CdtrInf/CdtrNm", "钱二"), ("CdtrInf/CdtrWltId", "0021000000000001")]


def debit():
    # The order of the spec: group and trade first, then the parties.
    return document(DEBIT, "ConvOutReq", [*group(), *TRADE, *[(path, seal(value)) for path, value in PARTIES]])


def debited(state="PR00", code="", why=""):
    pairs = [*group(), ("OrgnlGrpHdr/OrgnlMsgId", "20300102183005000000000000000009"), ("RspsnInf/PrcSts", state), ("RspsnInf/RjctCd", code),
             ("RspsnInf/RjctInf", why)]
    return document(DEBITED, "ConvOutRsp", [pair for pair in pairs if pair[1]])


def query():
    return document(QUERY, "TrxStsQryReq", [*group(), ("OrgnlGrpHdr/OrgnlMsgId", MSG_ID), ("OrgnlGrpHdr/OrgnlMT", DEBIT)])


def sign(suite, body):
    data = body.encode()
    if suite == "sm2_of_digest":
        data = tools().openssl("dgst", "-sm3", "-binary", data=data)
    return tools().sign("sm", data)


def line(signature, sealed=True, **more):
    parts = {"SSN": SIGNER, "NSN": SEALER, "DEP": tools().wrap("sm", DATA_KEY), "DSG": signature} | more
    if not sealed:
        parts = {name: parts[name] for name in ["SSN", "DSG"]}
    return "{S:" + "".join(f":{name}:{value}" for name, value in parts.items()) + "}\r\n"


def write(name, suite, body, more, expect="ok"):
    is_wrong = expect != "ok" or any(each.startswith("verdict") for each in more)
    made = "made with openssl after facts/clearing.md 4" + ("; wrong on purpose" if is_wrong else "")
    tools().write("dcep", name, [f"expect: {expect}", f"source: {made}", f"suite: {suite}", *more], body)


def good(name, body, more, suite="sm2"):
    write(name, suite, body, ["key: sm2-sign", "opens: sm2-seal", *more])


def wrong(name, rule, body):
    write(f"wrong_{name}", "sm2", body, [], expect=rule)


def unverified(name, verdict, body, suite="sm2"):
    write(f"wrong_{name}", suite, body, ["key: sm2-sign", "opens: sm2-seal", f"verdict: {verdict}"])


LINES = ["payment: operation = debit", "payment: amount = 1234", f"payment: com.serial = {MSG_ID}", f"payment: com.sender = {BANK}",
         "payment: payer.name = 赵一", "payment: payee.account = 0021000000000001", "payment: end_to_end_id = DC2030010200000001"]


def make():
    for suite in ["sm2", "sm2_of_digest"]:
        body = debit()
        good(f"debit_{suite}", header(DEBIT) + line(sign(suite, body)) + body, LINES, suite)
    for name, arguments, outcome in [
        ("done", {}, "success"), ("processing", {"state": "PR03"}, "unknown"), ("new_state", {"state": "PR77"}, "unknown"),
        ("refused", {"state": "PR01", "code": "RJ01", "why": "余额不足"}, "failed insufficient_funds: 余额不足"),
    ]:
        body = debited(**arguments)
        good(f"debited_{name}", header(DEBITED) + line(sign("sm2", body), sealed=False) + body, [f"payment: outcome = {outcome}"])
    body = query()
    good("query", header(QUERY) + line(sign("sm2", body), sealed=False) + body, ["payment: operation = query", f"payment: original.msg_id = {MSG_ID}"])
    spaced = query().replace("?><Document", "?>\n<Document") + "\n"
    good("query_line_end_signed", header(QUERY) + line(sign("sm2", spaced), sealed=False) + spaced, ["payment: operation = query"])
    wrong_header()
    wrong_line()
    wrong_document()


def wrong_header():
    body = debit()
    rest = line(sign("sm2", body)) + body
    right = header(DEBIT)
    assert len(right) == 202
    for name, rule, head in [
        ("header_of_cnaps2", "header.length offset 129", cnaps2.header(DEBIT)),
        ("header_short", "header.length offset 198", right[:190] + right[191:]),
        ("header_long", "header.length offset 200", right[:190] + " " + right[190:]),
        ("version", "field.code at {H:}/VersionID offset 3", header(DEBIT, {"version": "02"})),
        ("sender_differs", "header.differs at {H:}/OrigSender offset 5", header(DEBIT, {"sender": OTHER})),
        ("receiver_differs", "header.differs at {H:}/OrigReceiver offset 23", header(DEBIT, {"receiver": BANK})),
        ("id_at_right", "header.blank at {H:}/MesgID offset 78", header(DEBIT, {"id": " " * 4 + MSG_ID})),
        ("no_reference", "field.missing at {H:}/MesgRefID offset 118", header(DEBIT, {"ref": ""})),
        ("other_code", "message.mismatch", header(DEBITED)),
    ]:
        wrong(name, rule, head + rest)


def wrong_line():
    body, head = debit(), header(DEBIT)
    right = line(sign("sm2", body))
    wrong("part_twice", "field.duplicate offset 212", head + right.replace(":SSN:", ":SSN:1:SSN:", 1) + body)
    wrong("part_without_value", "header.line", head + "{S::SSN}\r\n" + body)
    wrong("line_open", "header.line", head + right.replace("}\r\n", "\r\n") + body)
    wrong("no_envelope", "seal.envelope at DbtrInf/DbtrNm", head + line(sign("sm2", body), sealed=False) + body)
    unverified("unsigned", "field.missing", head + right[:right.index(":DSG:")] + "}\r\n" + body)
    unverified("signer_missing", "field.missing", head + right.replace(f":SSN:{SIGNER}", "", 1) + body)
    unverified("line_end_not_signed", "signature.invalid", head + right + body + "\n")
    unverified("root_signed", "signature.invalid", head + line(sign("sm2", body[body.index("<Document"):])) + body)
    unverified("line_signed_too", "signature.invalid", head + line(sign("sm2", right + body)) + body)
    unverified("digest_for_text", "signature.invalid", head + line(sign("sm2_of_digest", body)) + body)
    unverified("text_for_digest", "signature.invalid", head + right + body, suite="sm2_of_digest")
    unverified("raw_signature", "signature.encoding", head + line(tools().raw(sign("sm2", body))) + body)
    other = base64.b64encode(base64.b64decode(tools().wrap("sm", DATA_KEY[::-1]))).decode()
    unverified("other_data_key", "seal.invalid", head + line(sign("sm2", body), DEP=other) + body)
    unverified("data_key_as_text", "envelope.invalid", head + line(sign("sm2", body), DEP=tools().wrap("sm", b"02|" + b"A" * 16)) + body)


def wrong_document():
    body, head = debit(), header(DEBIT)
    for name, old, new in [
        ("amount_altered", ">12.34<", ">1.00<"),
        ("sealed_swapped", seal("赵一"), seal("钱二")),
        ("space_added", "<TrxInf>", " <TrxInf>"),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        unverified(name, "signature.invalid", head + line(sign("sm2", body)) + changed)
    for name, verdict, old, new in [
        ("account_too_long", "field.length", seal("6217000000000000001"), seal("6" * 35)),
        ("padding_broken", "seal.invalid", seal("赵一"), tools().seal("sm", DATA_KEY[1:] + b"\0", "赵一")),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        unverified(name, verdict, head + line(sign("sm2", changed)) + changed)
    right = line(sign("sm2", body))
    for name, rule, old, new in [
        ("clear_account", "seal.missing at DbtrInf/DbtrAcct", seal("6217000000000000001"), "6217000000000000001"),
        ("namespace", "message.mismatch", "std:dcep.225", "std:dcep.221"),
        ("amount_twice", "field.duplicate", "<TrxAmt ", '<TrxAmt Ccy="CNY">1.00</TrxAmt><TrxAmt '),
        ("currency", "field.currency at TrxInf/TrxAmt", 'Ccy="CNY"', 'Ccy="USD"'),
        ("comment", "xml.comment", "<TrxInf>", "<!-- --><TrxInf>"),
        ("two_documents", "xml.roots", "</Document>", "</Document><Document></Document>"),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        wrong(name, rule, head + right + changed)
    wrong("account_missing", "field.missing at DbtrInf/DbtrAcct", head + right + re.sub("<DbtrAcct>.*</DbtrAcct>", "", body))
