#!/usr/bin/env python3
"""Statement files by another hand: writes the golden ones from a small book, and checks any file's own totals.

Usage: tests/samples/statements.py                    writes tests/it/statements
       tests/samples/statements.py check LAYOUT FILE  reads a file (nps, wechat, alipay, zm) and prints count, D and C in fen

Only the standard library; it shares no text with the simulators. Tests read the golden files; nothing runs this script.
"""

import base64
import hashlib
import io
import json
import sys
import zipfile
import zlib
from decimal import Decimal
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "it/statements"
BANK, DAY = "402100088888", "20300102"
MONEY = {"debit": "D", "credit": "C", "refund": "C", "cancel": None}
ZM_WIDTHS = [3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8,
             32, 13, 13, 12, 2, 1, 32, 98]
ZME_WIDTHS = [3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135]


def payment(operation, serial, fen, at, **more):
    tx = f"{DAY}66{serial:08}"
    details = {
        "message_code": f"NPS.{dict(debit=142, credit=144, refund=144, cancel=300, sign=130)[operation]}.001.01",
        "sender": "900584099999", "receiver": BANK, "tx_id": tx, "order_id": f"9{serial:017}", "original_tx_id": "",
        "batch": f"B{DAY}{at[11:13]}00", "settlement_date": DAY, "created_at": at, "fee_fen": 0,
    }
    details.update(more.pop("details", {}))
    entry = {"operation": operation, "end_to_end_id": f"{DAY}{serial:018}10900", "msg_id": tx, "institution": "Z2099999000010",
             "amount_fen": fen, "outcome": "success", "executions": 0, "details": details}
    entry.update(more)
    return f"{operation}|{entry.get('original', entry['end_to_end_id'])}", entry


def book():
    first = payment("debit", 1, 12345, "2030-01-02T09:15:30")[1]
    gone = payment("debit", 2, 500, "2030-01-02T09:59:59")[1]
    sent = {"sender": BANK, "receiver": "900584099999"}
    return dict([
        ("debit|" + first["end_to_end_id"], first),
        ("debit|" + gone["end_to_end_id"], gone),
        payment("debit", 3, 7, "2030-01-02T10:00:00", details={"fee_fen": 1}),
        payment("debit", 4, 999, "2030-01-02T10:30:00", outcome="failed"),
        payment("debit", 5, 888, "2030-01-02T10:31:00", outcome="unknown"),
        payment("debit", 6, 777, "2030-01-03T08:00:00", details={"settlement_date": "20300103"}),
        payment("credit", 7, 2000, "2030-01-02T11:00:00"),
        payment("credit", 8, 300, "2030-01-02T09:30:00", details=sent),
        payment("refund", 9, 345, "2030-01-02T12:00:00", details={"original_tx_id": first["details"]["tx_id"]}),
        payment("cancel", 10, 500, "2030-01-02T10:05:00", original=gone["msg_id"], end_to_end_id=""),
        payment("sign", 11, 0, "2030-01-02T09:00:01"),
    ])


def settled(entries, hour=None):
    """Lines as (entry, fen, side, end-to-end id of the original), in the order of their keys."""
    lines = []
    for _, entry in sorted(entries.items()):
        details = entry["details"]
        if entry["operation"] not in MONEY or entry["outcome"] != "success" or details["settlement_date"] != DAY:
            continue
        if hour is not None and int(details["created_at"][11:13]) != hour:
            continue
        side, fen, origin = MONEY[entry["operation"]], entry["amount_fen"], ""
        for other in entries.values():
            if other["msg_id"] == entry.get("original") or other["details"]["tx_id"] == details["original_tx_id"]:
                origin, fen = other["end_to_end_id"], other["amount_fen"] if side is None else fen
        side = side or "C"
        if details["sender"] == BANK:
            side = {"C": "D", "D": "C"}[side]
        lines.append((entry, fen, side, origin))
    return lines


def yuan(fen):
    return f"{Decimal(fen) / 100:.2f}"


def loose(fen):
    return repr(fen / 100)


def nps(entries, hour=None):
    batch = f"B{DAY}{24 if hour is None else hour:02}00"
    rows, sums = "", {"D": 0, "C": 0}
    for entry, fen, side, _ in settled(entries, hour):
        d = entry["details"]
        rows += "|".join(["D", d["message_code"], entry["msg_id"], d["tx_id"], entry["end_to_end_id"], d["sender"], d["receiver"],
                          str(fen), side, "1", d["settlement_date"], d["batch"], d["original_tx_id"]]) + "\n"
        sums[side] += fen
    count = rows.count("\n")
    digest = hashlib.sha256(rows.encode()).hexdigest()
    return (f"H|{batch}|{DAY}|CNY|{count}|{sums['D']}|{sums['C']}|{digest}\n{rows}T|{count}\n").encode()


def on_bill(lines):
    return [line for line in lines if line[0]["operation"] in ("refund", "cancel") or line[2] == "D"]


def wechat(entries):
    head = ("交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
            "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
            "申请退款金额,费率备注")
    text, paid_sum, given_sum, fees, bill = "\ufeff" + head + "\n", 0, 0, 0, on_bill(settled(entries))
    for entry, fen, _, origin in bill:
        back = entry["operation"] in ("refund", "cancel")
        paid, given = (0, fen) if back else (fen, 0)
        tx, end, fee = entry["details"]["tx_id"], entry["end_to_end_id"], entry["details"]["fee_fen"]
        state = {"refund": "REFUND", "cancel": "REVOKED"}.get(entry["operation"], "SUCCESS")
        cells = [entry["details"]["created_at"].replace("T", " "), "wx0000000000000000", BANK, "0", "", tx, origin if back else end, "",
                 "PAP", state, "OTHERS", "CNY", yuan(paid), "0.00", tx if back else "0", end if back else "0", yuan(given), "0.00",
                 "ORIGINAL" if back else "", "SUCCESS" if back else "", "协议支付", "", f"{fee / 100:.5f}", "0.00%", yuan(paid),
                 yuan(given), ""]
        text += ",".join("`" + cell for cell in cells) + "\n"
        paid_sum, given_sum, fees = paid_sum + paid, given_sum + given, fees + fee
    text += "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n"
    sums = [f"{len(bill)}.0", loose(paid_sum), loose(given_sum), "0.0", loose(fees), loose(paid_sum), loose(given_sum)]
    return (text + ",".join("`" + cell for cell in sums) + "\n").encode()


def alipay(entries):
    day = ("2030年01月02日 00:00:00", "2030年01月03日 00:00:00")
    rows = ["#支付宝业务明细查询", f"#账号：[{BANK}0156]", f"#起始日期：[{day[0]}]   终止日期：[{day[1]}]",
            "#" + "-" * 41 + "业务明细列表" + "-" * 40,
            "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,"
            "支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
            "退款批次号/请求号,服务费（元）,分润（元）,备注"]
    paid, given = [], []
    for entry, fen, _, origin in on_bill(settled(entries)):
        back = entry["operation"] in ("refund", "cancel")
        (given if back else paid).append(fen)
        at, money, fee = entry["details"]["created_at"].replace("T", " "), yuan(-fen if back else fen), entry["details"]["fee_fen"]
        end = entry["end_to_end_id"]
        rows.append(",".join([entry["details"]["tx_id"] + "\t", (origin if back else end) + "\t", ("退款" if back else "交易") + "\t",
                              "协议支付", at, at, *["\t"] * 5, money, money, *["0.00"] * 5, "", "0.00\t", "0.00\t",
                              (end if back else "") + "\t", yuan(-fee), "0.00", ""]))
    rows += ["#" + "-" * 41 + "业务明细列表结束" + "-" * 36,
             f"#交易合计：{len(paid)}笔，商家实收共{yuan(sum(paid))}元，商家优惠共0.00元",
             f"#退款合计：{len(given)}笔，商家实收退款共{yuan(-sum(given))}元，商家优惠退款共0.00元", f"#导出时间：[{day[1]}]"]
    return "".join(row + "\r\n" for row in rows).encode("gbk")


def zm(entries):
    out = b""
    for entry, fen, side, origin in settled(entries):
        d, letter = entry["details"], "C" if side == "D" else "D"
        code = {"debit": ("S22", "01", "01", "000301"), "credit": ("S20", "12", "00", "000401"), "refund": ("S30", "04", "00", "000301"),
                "cancel": ("S36", "31", "00", "000301")}[entry["operation"]]
        moment = "".join(c for c in d["created_at"] if c.isdigit())[4:]
        money = f"{letter}{fen:012}"
        cells = [code[0], BANK[-11:], BANK[-11:], entry["msg_id"][-6:], moment, "", f"{fen:012}", "4900", "07", d["tx_id"], "",
                 entry["end_to_end_id"], "01", origin[-6:], "", f"D{d['fee_fen']:012}", money, "0001", "", *code[1:], "01", "", "", "1",
                 d["original_tx_id"], BANK, "", "", "", "", money, "00000000", "", "", "", "", "", "", origin, ""]
        out += b" ".join(cell.encode("gbk").ljust(width) for cell, width in zip(cells, ZM_WIDTHS, strict=True)) + b"\r\n"
    return out


def zme(entries):
    """Every payment of the day given back after a dispute, which no day has; a test adjusts all as well."""
    out = b""
    for entry, fen, side, _ in settled(entries):
        d, letter = entry["details"], "D" if side == "D" else "C"
        moment = "".join(c for c in d["created_at"] if c.isdigit())[4:]
        cells = ["E74", BANK[-11:], BANK[-11:], entry["msg_id"][-6:], moment, "", f"{fen:012}", "4900", "07", "01",
                 entry["end_to_end_id"][-6:], moment, "9701", f"{fen:012}", "D" + "0" * 12, f"{letter}{fen:012}", BANK, "", "", "", "04", ""]
        out += b" ".join(cell.encode("gbk").ljust(width) for cell, width in zip(cells, ZME_WIDTHS, strict=True)) + b"\r\n"
    return out


def content(files):
    """`fileContent` of a file transfer: an archive in a zlib stream in Base64; nothing is compressed, so that its bytes are plain."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.create_system = 0
            archive.writestr(info, data)
            info.external_attr = 0
    return base64.b64encode(zlib.compress(packed.getvalue(), 0))


def fen(text):
    return int(Decimal(text) * 100)


def check(layout, data):
    """Count, collected and given, after the file's own totals were held against its lines."""
    if layout == "nps":
        head, *rows, tail = data.decode().splitlines()
        head, cells = head.split("|"), [row.split("|") for row in rows]
        assert all(len(cell) == 13 for cell in cells) and tail == f"T|{len(rows)}" and int(head[4]) == len(rows)
        assert hashlib.sha256("".join(row + "\n" for row in rows).encode()).hexdigest() == head[7]
        sums = [sum(int(cell[7]) for cell in cells if cell[8] == side) for side in "DC"]
        assert sums == [int(head[5]), int(head[6])]
    elif layout == "wechat":
        assert data.startswith(b"\xef\xbb\xbf")
        _, *rows, _, totals = data.decode("utf-8-sig").splitlines()
        cells = [row[1:].split(",`") for row in rows]
        sums = [sum(fen(cell[at]) for cell in cells) for at in (12, 16)]
        totals = totals[1:].split(",`")
        assert float(totals[0]) == len(rows) and sums == [fen(totals[1]), fen(totals[2])]
    elif layout == "alipay":
        lines = data.decode("gbk").split("\r\n")
        rows = [line.split(",") for line in lines if line and line[0] not in "#支"]
        counts = [[fen(row[12]) for row in rows if row[2] == kind + "\t"] for kind in ("交易", "退款")]
        stated = [line for line in lines if line.startswith(("#交易合计", "#退款合计"))]
        for line, part in zip(stated, counts, strict=True):
            assert int(line.split("：")[1].split("笔")[0]) == len(part), line
            assert fen(line.split("共")[1].split("元")[0]) == sum(part), line
        sums = [sum(counts[0]), -sum(counts[1])]
    else:
        rows = data.split(b"\r\n")[:-1]
        assert all(len(row) == sum(ZM_WIDTHS) + len(ZM_WIDTHS) - 1 for row in rows)
        amounts = [row.decode("gbk") for row in rows]
        place = sum(ZM_WIDTHS[:16]) + 16
        sums = [sum(int(row[place + 1:place + 13]) for row in amounts if row[place] == side) for side in "CD"]
    return len(rows), sums[0], sums[1]


def main():
    if sys.argv[1:2] == ["check"]:
        print(*check(sys.argv[2], Path(sys.argv[3]).read_bytes()))
        return
    entries = book()
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "book.json").write_text(json.dumps({"entries": entries}, indent=1) + "\n")
    files = {"nps": nps(entries), "wechat": wechat(entries), "alipay": alipay(entries), "zm": zm(entries)}
    for layout, data in files.items():
        print(layout, *check(layout, data))
    files["nps-10"] = nps(entries, 10)
    files["zme"] = b"".join(sorted(zme(entries).splitlines(keepends=True)))
    files["content"] = content([(f"INN30010288ZM_{BANK}", files["zm"]), (f"INN30010288ZME_{BANK}", b"")])
    for name, data in files.items():
        if name.startswith("nps"):
            head, rest = data.split(b"\n", 1)
            # Half of the digest: a whole one reads like a key.
            data = head[:-32] + b"\n" + rest
        (FOLDER / f"{name}.golden").write_bytes(data)


main()
