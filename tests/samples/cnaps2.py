"""Samples of codecs/cnaps2: facts/clearing.md 3, names and numbers invented."""

import sys

BANK, OTHER = "402100088888", "313290000017"
MSG_ID = "2030010100001234"


def tools():
    return sys.modules["__main__"]


def header(code, more=None):
    """132 characters: each value at the left of its field."""
    fields = [("version", 2, "02"), ("sender", 14, BANK), ("sender_system", 4, "BEPS"), ("receiver", 14, "0000"), ("receiver_system", 4, "BEPS"),
              ("date", 8, "20300101"), ("time", 6, "183005"), ("structure", 3, "XML"), ("code", 20, code), ("id", 20, MSG_ID),
              ("ref", 20, MSG_ID), ("priority", 1, "3"), ("direction", 1, "U"), ("reserve", 9, "")]
    text = "{H:" + "".join((more or {}).get(name, value).ljust(width) for name, width, value in fields) + "}\r\n"
    return text


def nested(pairs):
    """Elements of paths that stand together; an amount carries its currency."""
    out, open_ = "", []
    for path, value in [*pairs, ("", "")]:
        *parents, leaf = path.split("/")
        shared = 0
        while shared < min(len(open_), len(parents)) and open_[shared] == parents[shared]:
            shared += 1
        for name in reversed(open_[shared:]):
            out += f"</{name}>"
        out += "".join(f"<{name}>" for name in parents[shared:])
        open_ = parents
        if leaf:
            currency = ' Ccy="CNY"' if leaf in ("Amt", "CtrlSum") else ""
            out += f"<{leaf}{currency}>{value.replace('&', '&amp;').replace('<', '&lt;')}</{leaf}>"
    return out


def document(code, root, pairs, family="beps", head='<?xml version="1.0" encoding="UTF-8"?>'):
    return f'{head}<Document xmlns="urn:cnaps:std:{family}:2010:tech:xsd:{code}"><{root}>{nested(pairs)}</{root}></Document>'


CREDIT = "beps.121.001.01"
CONFIRMATION = "ccms.900.001.02"
COMMUNICATION = "ccms.990.001.02"


def credit(more=None):
    pairs = {"PKGGrpHdr/MsgId": MSG_ID, "PKGGrpHdr/CreDtTm": "2030-01-01T18:30:05", "PKGGrpHdr/InstgPty/InstgDrctPty": BANK,
             "PKGGrpHdr/InstdPty/InstdDrctPty": OTHER, "PKGGrpHdr/NbOfTxs": "1", "PKGGrpHdr/CtrlSum": "12.34", "PKGGrpHdr/SysCd": "BEPS",
             "CstmrCdtTrfInf/TxId": "2030010100005678", "CstmrCdtTrfInf/Dbtr/Nm": "赵一 & 子", "CstmrCdtTrfInf/DbtrAcct/Id/Othr/Id": "6217000000000000001",
             "CstmrCdtTrfInf/DbtrAgt/BrnchId/Id": BANK, "CstmrCdtTrfInf/CdtrAgt/BrnchId/Id": OTHER, "CstmrCdtTrfInf/Cdtr/Nm": "钱二",
             "CstmrCdtTrfInf/CdtrAcct/Id/Othr/Id": "6228000000000000002", "CstmrCdtTrfInf/Amt": "12.34",
             "CstmrCdtTrfInf/PmtTpInf/CtgyPurp/Prtry": "A100", "CstmrCdtTrfInf/Purp/Prtry": "02102", "CstmrCdtTrfInf/AddtlInf": "货款"}
    return pairs | (more or {})


def confirmation(more=None):
    pairs = {"GrpHdr/MsgId": "2030010100009999", "GrpHdr/CreDtTm": "2030-01-01T18:30:09", "GrpHdr/InstgPty/InstgDrctPty": OTHER,
             "GrpHdr/InstdPty/InstdDrctPty": BANK, "GrpHdr/SysCd": "BEPS", "OrgnlGrpHdr/OrgnlMsgId": MSG_ID, "OrgnlGrpHdr/OrgnlMT": CREDIT,
             "CmonConfInf/PrcSts": "PR04", "CmonConfInf/PrcCd": "", "CmonConfInf/RjctInf": ""}
    return pairs | (more or {})


def text(pairs, separator="|", end=""):
    amount = lambda path: "CNY" if path.rsplit("/", 1)[-1] in ("Amt", "CtrlSum") else ""
    return separator.join(amount(path) + value for path, value in pairs.items()) + end


def sign(signed):
    return tools().sign("sm", signed.encode())


def line(signature):
    return "{S:" + signature + "}\r\n"


def whole(code, root, pairs, family="beps", head=None, signature=None, unsigned=()):
    """Header, line and document; `unsigned` elements are in the document alone."""
    written = [pair for pair in [*unsigned, *pairs.items()] if pair[1]]
    return header(code, head) + line(signature or sign(text(pairs))) + document(code, root, written, family)


DOWN = {"sender": "0000", "receiver": BANK, "direction": "D", "id": "2030010100009999", "ref": MSG_ID}
LINES = ["payment: operation = credit", "payment: amount = 1234", f"payment: com.serial = {MSG_ID}", f"payment: com.sender = {BANK}",
         "payment: payer.name = 赵一 & 子", "payment: end_to_end_id = 2030010100005678", "field: {H:}/OrigSender = 402100088888",
         "field: {H:}/MesgType = beps.121.001.01", "field: PKGGrpHdr/SysCd = BEPS"]


def write(name, body, more, expect="ok"):
    is_wrong = expect != "ok" or any(each.startswith("verdict") for each in more)
    made = "made with openssl after facts/clearing.md 3" + ("; wrong on purpose" if is_wrong else "")
    tools().write("cnaps2", name, [f"expect: {expect}", f"source: {made}", *more], body)


def good(name, body, more):
    write(name, body, ["key: sm2-sign", *more])


def wrong(name, rule, body):
    write(f"wrong_{name}", body, [], expect=rule)


def unverified(name, verdict, body):
    write(f"wrong_{name}", body, ["key: sm2-sign", f"verdict: {verdict}"])


def make():
    body = whole(CREDIT, "CstmrCdtTrf", credit())
    assert body.index("{S:") == 132
    good("credit", body, LINES)
    state = [("NPCPrcInf/PrcSts", "PR03")]
    down = credit({"PKGGrpHdr/InstgPty/InstgDrctPty": OTHER, "PKGGrpHdr/InstdPty/InstdDrctPty": BANK})
    ordered = dict(list(down.items())[:7]), dict(list(down.items())[7:])
    written = [*ordered[0].items(), *state, *ordered[1].items()]
    received = header(CREDIT, DOWN | {"ref": "2030010100009999"}) + line(sign(text(down))) + document(CREDIT, "CstmrCdtTrf", written)
    good("credit_received", received, ["payment: operation = credit", f"payment: com.sender = {OTHER}", "field: NPCPrcInf/PrcSts = PR03",
                                       "field: {H:}/MesgDirection = D"])
    for name, more, outcome in [
        ("settled", {}, "success"), ("netted", {"CmonConfInf/PrcSts": "PR03"}, "unknown"), ("new_state", {"CmonConfInf/PrcSts": "PR77"}, "unknown"),
        ("refused", {"CmonConfInf/PrcSts": "PR09", "CmonConfInf/PrcCd": "RJ01", "CmonConfInf/RjctInf": "余额不足"}, "failed insufficient_funds: 余额不足"),
    ]:
        body = whole(CONFIRMATION, "CmonConf", confirmation(more), "ccms", DOWN)
        good(f"confirmation_{name}", body, [f"payment: outcome = {outcome}", f"payment: ref.serial = {MSG_ID}"])
    got = {"ConfInf/OrigSndr": BANK, "ConfInf/OrigSndDt": "20300101", "ConfInf/MT": CREDIT, "ConfInf/MsgId": MSG_ID, "ConfInf/MsgRefId": "",
           "ConfInf/MsgPrcCd": "PM1I0000"}
    good("communication", whole(COMMUNICATION, "ComConf", got, "ccms", DOWN), ["payment: operation = ack", f"payment: ref.serial = {MSG_ID}"])
    wrong_header()
    wrong_line()
    wrong_document()


def wrong_header():
    pairs = credit()
    rest = line(sign(text(pairs))) + document(CREDIT, "CstmrCdtTrf", pairs.items())
    right = header(CREDIT)
    for name, rule, head in [
        ("header_open", "header.syntax offset 0", "{h:" + right[3:]),
        ("header_short", "header.length offset 128", right[:120] + right[121:]),
        ("header_long", "header.length offset 130", right[:120] + " " + right[120:]),
        ("header_line_feed", "header.length", right[:-2] + "\n"),
        ("header_cut_inside", "header.length offset 60", right[:60] + "}\r\n" + right[63:]),
        ("header_wide_letter", "header.length", right.replace(BANK + "  ", BANK + "行", 1)),
        ("header_not_ascii", "header.charset offset 120", right[:120] + "é" + right[122:]),
        ("header_tab", "header.charset offset 121", right[:121] + "\t" + right[122:]),
        ("sender_differs", "header.differs at {H:}/OrigSender offset 5", header(CREDIT, {"sender": OTHER})),
        ("sender_longer", "header.differs at {H:}/OrigSender offset 5", header(CREDIT, {"sender": BANK + "00"})),
        ("sender_at_right", "header.blank at {H:}/OrigSender offset 5", header(CREDIT, {"sender": "  " + BANK})),
        ("sender_blank", "field.missing at {H:}/OrigSender offset 5", header(CREDIT, {"sender": ""})),
        ("id_with_a_blank", "field.charset at {H:}/MesgID offset 78", header(CREDIT, {"id": "20300101 00001234"})),
        ("receiver_differs", "header.differs at {H:}/OrigReceiver offset 23", header(CREDIT, {"receiver": BANK})),
        ("shifted_by_one", "field.code at {H:}/VersionID offset 3", "{H:" + " 2" + right[4:-4] + "}\r\n"),
        ("version", "field.code at {H:}/VersionID offset 3", header(CREDIT, {"version": "01"})),
        ("structure", "field.code at {H:}/StructType offset 55", header(CREDIT, {"structure": "TAG"})),
        ("no_such_day", "field.kind at {H:}/OrigSendDate offset 41", header(CREDIT, {"date": "20300230"})),
        ("no_such_time", "field.kind at {H:}/OrigSendTime offset 49", header(CREDIT, {"time": "256000"})),
        ("priority", "field.code at {H:}/MesgPriority offset 118", header(CREDIT, {"priority": "4"})),
        ("direction", "field.code at {H:}/MesgDirection offset 119", header(CREDIT, {"direction": "X"})),
        ("no_id", "field.missing at {H:}/MesgID offset 78", header(CREDIT, {"id": ""})),
        ("other_code", "message.mismatch", header(CONFIRMATION)),
        ("unknown_code", "message.unknown", header("beps.122.001.01")),
    ]:
        body = head + rest
        if name == "shifted_by_one":
            rule = "header.blank at {H:}/VersionID offset 3"
        wrong(name, rule, body)


def wrong_line():
    pairs = credit()
    document_ = document(CREDIT, "CstmrCdtTrf", pairs.items())
    head, signature = header(CREDIT), sign(text(pairs))
    unverified("unsigned", "field.missing", head + document_)
    unverified("other_key", "signature.invalid", head + line(__import__("base64").b64encode(tools().sm2_sign("sm2-seal", text(pairs).encode())).decode()) + document_)
    unverified("separator_behind", "signature.invalid", head + line(sign(text(pairs, end="|"))) + document_)
    unverified("no_currency", "signature.invalid", head + line(sign(text(pairs).replace("CNY", ""))) + document_)
    unverified("body_signed", "signature.invalid", head + line(sign(document_)) + document_)
    unverified("raw_signature", "signature.encoding", head + line(tools().raw(signature)) + document_)
    wrong("not_base64", "field.kind at {S:} offset 135", head + line(signature[:-4] + "****") + document_)
    wrong("line_open", "header.line offset 135", head + "{S:" + signature + "\r\n" + document_)
    wrong("line_feed", "header.line offset 135", head + "{S:" + signature + "}\n" + document_)
    wrong("line_twice", "xml.outside", head + line(signature) * 2 + document_)
    wrong("line_behind", "xml.outside", head + document_ + line(signature))


def wrong_document():
    pairs = credit()
    body = whole(CREDIT, "CstmrCdtTrf", pairs)
    for name, verdict, old, new in [
        ("amount_altered", "signature.invalid", '<Amt Ccy="CNY">12.34', '<Amt Ccy="CNY">1.00'),
        ("payee_altered", "signature.invalid", "6228000000000000002", "6228000000000000009"),
        ("moved_to_neighbour", "signature.invalid", "<AddtlInf>货款</AddtlInf>", ""),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        unverified(name, verdict, changed)
    for name, rule, old, new in [
        ("separator_inside", "signed.separator at CstmrCdtTrfInf/AddtlInf", "货款", "货|款"),
        ("amount_twice", "field.duplicate", "<Amt ", '<Amt Ccy="CNY">1.00</Amt><Amt '),
        ("currency", "field.currency at CstmrCdtTrfInf/Amt", '<Amt Ccy="CNY">', '<Amt Ccy="USD">'),
        ("account_twice", "field.duplicate", "<CdtrAcct>", "<CdtrAcct><Id><Othr><Id>1</Id></Othr></Id></CdtrAcct><CdtrAcct>"),
        ("other_root", "field.missing at PKGGrpHdr/MsgId", "CstmrCdtTrf>", "CstmrDrctDbt>"),
        ("namespace", "message.mismatch", "xsd:beps.121.001.01", "xsd:beps.122.001.01"),
        ("namespace_missing", "message.mismatch", ' xmlns="urn:cnaps:std:beps:2010:tech:xsd:beps.121.001.01"', ""),
        ("two_payments", "field.code at PKGGrpHdr/NbOfTxs", "<NbOfTxs>1<", "<NbOfTxs>2<"),
        ("two_transactions", "field.duplicate", "<CstmrCdtTrfInf>", "<CstmrCdtTrfInf></CstmrCdtTrfInf><CstmrCdtTrfInf>"),
        ("doctype", "xml.doctype", "<Document", "<!DOCTYPE Document><Document"),
        ("gap_before", "xml.declaration", "<?xml", " <?xml"),
        ("two_documents", "xml.roots", "</Document>", "</Document><Document></Document>"),
    ]:
        changed = body.replace(old, new) if name == "other_root" else body.replace(old, new, 1)
        assert changed != body, name
        wrong(name, rule, changed)
    wrong("header_alone", "xml.empty", header(CREDIT) + line(sign(text(pairs))))
