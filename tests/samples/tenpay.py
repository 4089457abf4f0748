"""Samples of codecs/tenpay: facts/institutions.md 2 and 3, names and numbers invented."""

import base64
import json
import sys

NOW = 1893580210  # what the tests take for now
TRADE = "POST /tenpay/notify/trade"
REFUND = "POST /tenpay/notify/refund"
AGREEMENT = "POST /tenpay/notify/agreement"
APPLY = "POST /v3/papay/pay/transactions/apply"
QUERY = "GET /v3/pay/transactions/out-trade-no/20300102183005000001?mchid=1900000109"
KINDS = {"rsa": "WECHATPAY2-SHA256-RSA2048", "sm2": "WECHATPAY2-SM2-WITH-SM3"}
SERIAL = "54E7F59ED8DF4570CFB14780EA8152D45A675EE6"


def tools():
    return sys.modules["__main__"]


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# GCM (SP 800-38D) over OpenSSL's counter mode, which its command has alone.

def gcm(cipher, key, nonce, additional, clear):
    counted = lambda start, data: tools().openssl("enc", f"-{cipher}-ctr", "-K", key.hex(), "-iv", (nonce + start.to_bytes(4, "big")).hex(), data=data)
    subkey = int.from_bytes(tools().openssl("enc", f"-{cipher}-ecb", "-nopad", "-K", key.hex(), data=bytes(16)), "big")
    sealed = counted(2, clear)
    text = padded(additional) + padded(sealed) + (len(additional) * 8).to_bytes(8, "big") + (len(sealed) * 8).to_bytes(8, "big")
    digest = 0
    for at in range(0, len(text), 16):
        digest = times(digest ^ int.from_bytes(text[at:at + 16], "big"), subkey)
    return sealed + counted(1, digest.to_bytes(16, "big"))


def padded(data):
    return data + bytes(-len(data) % 16)


def times(x, y):
    product = 0
    for bit in range(127, -1, -1):
        product ^= y * (x >> bit & 1)
        y = y >> 1 ^ (0xE1 << 120) * (y & 1)
    return product


def seal(suite, key, nonce, additional, clear):
    if suite == "sm2":
        key = tools().openssl("dgst", "-sm3", "-binary", data=key)[:16]
    cipher = "sm4" if suite == "sm2" else "aes-256"
    return base64.b64encode(gcm(cipher, key, nonce.encode(), additional.encode(), clear.encode())).decode()


def vectors():
    """Vectors 2a and 3a of the facts: what is sealed here is what WeChat's own library seals."""
    key, nonce, additional = b"a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb", "uluk4a9R25RW", "associatedData"
    assert seal("rsa", key, nonce, additional, "message") == "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwI="
    assert seal("sm2", key, nonce, additional, "plaintext") == "+lcLNfkZQQx+iQm20Apa3x9Mb/5L7PgZ7w=="


class Maker:
    def __init__(self, suite):
        self.suite, self.kind = suite, KINDS[suite]
        self.key = "sm2-sign" if suite == "sm2" else "rsa-sign"

    def sign(self, *lines):
        return tools().sign("sm" if self.suite == "sm2" else "rsa", "".join(f"{line}\n" for line in lines).encode())

    def call(self, start, body, at=NOW - 5, sign=None, **more):
        method, target = start.split(" ")
        values = {"mchid": "1900000109", "nonce_str": "593BEC0C930BF1AFEB40B4A08C8FB242", "timestamp": str(at), "serial_no": SERIAL}
        values["signature"] = (sign or self.sign)(method, target, at, values["nonce_str"], body)
        pairs = ",".join(f'{name}="{value}"' for name, value in (values | more).items())
        return [f"header: authorization = {self.kind} {pairs}"]

    def theirs(self, body, at=NOW - 5, signature=None, answers=None, **more):
        nonce = "c5ac7061fccab6bf3e254dcf98995b8c"
        values = {"timestamp": str(at), "nonce": nonce, "serial": SERIAL, "signature": signature or self.sign(at, nonce, body),
                  "signature-type": self.kind}
        heads = [f"header: wechatpay-{name} = {value}" for name, value in (values | more).items() if value]
        return heads + ([f"header: hangu-answers = {answers}"] if answers else [])

    def notice(self, event, resource, kind="transaction", key=None, nonce="fdasflkja484", **more):
        key = key or (tools().KEYS / "tenpay-v3.mac").read_bytes()
        clear = resource if isinstance(resource, str) else compact(resource)
        sealed = {"original_type": kind, "algorithm": "AEAD_SM4_GCM" if self.suite == "sm2" else "AEAD_AES_256_GCM",
                  "ciphertext": seal(self.suite, key, nonce, kind, clear), "associated_data": kind, "nonce": nonce}
        return compact({"id": "EV-2030010218300500000001", "create_time": "2030-01-02T18:30:05+08:00", "resource_type": "encrypt-resource",
                        "event_type": event, "summary": "支付成功", "resource": sealed | more})

    def write(self, name, start, heads, body, more, expect="ok"):
        wrong = expect != "ok" or any(line.startswith("verdict") for line in more)
        made = "made with openssl after facts/institutions.md 2 and 3" + ("; wrong on purpose" if wrong else "")
        lines = [f"expect: {expect}", f"source: {made}", f"suite: {self.suite}", f"start: {start}", *heads, *more]
        tools().write("tenpay", name, lines, body)

    def good(self, name, start, heads, body, more):
        opens = ["opens: tenpay-v3"] if "/notify/" in start else []
        self.write(name, start, heads, body, [f"key: {self.key}", *opens, *more])

    def wrong(self, name, rule, start, heads, body):
        self.write(f"wrong_{name}", start, heads, body, [], expect=rule)

    def unverified(self, name, verdict, start, heads, body):
        opens = ["opens: tenpay-v3"] if "/notify/" in start else []
        self.write(f"wrong_{name}", start, heads, body, [f"key: {self.key}", *opens, f"verdict: {verdict}"])


# Values by themselves under the receiver's key.

TRANSFER = "POST /v3/fund-app/mch-transfer/transfer-bills"
OAEP = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1", "-pkeyopt", "rsa_mgf1_md:sha1"]
OAEP_SHA256 = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"]
SEALED_FOR = "PUB_KEY_ID_0119000001092030010200000000001000"
NAME = "欧阳测试"


def encrypted(suite, clear=NAME, options=None):
    name, usual = ("sm2-seal", []) if suite == "sm2" else ("rsa-seal", OAEP)
    return tools().encrypt(name, clear.encode() if isinstance(clear, str) else clear, *(usual if options is None else options))


def transfer(name):
    return compact({"appid": "wxd678efh567hg6787", "out_bill_no": "20300102183005000001", "transfer_scene_id": "1000",
                    "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "user_name": name, "transfer_amount": 200000, "transfer_remark": "报销"})


def found(name):
    return compact({"mch_id": "1900000109", "out_bill_no": "20300102183005000001", "transfer_bill_no": "1330000071100999991182020050700019480001",
                    "state": "SUCCESS", "transfer_amount": 200000, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "user_name": name})


def sealed_fields(rsa, sm):
    made = lambda maker, body: [*maker.call(TRANSFER, body), f"header: wechatpay-serial = {SEALED_FOR}"]
    opens = lambda maker: f"opens: {'sm2' if maker.suite == 'sm2' else 'rsa'}-seal"
    answered = lambda maker, body: maker.theirs(body, answers="transfer.bills.query.answer")
    for maker in [rsa, sm]:
        body = transfer(encrypted(maker.suite))
        maker.good(f"transfer_{maker.suite}", TRANSFER, made(maker, body), body, [
            opens(maker), "payment: operation = credit", "payment: amount = 200000", f"payment: payee.name = {NAME}"])
        body = found(encrypted(maker.suite))
        maker.good(f"transfer_found_{maker.suite}", "200", answered(maker, body), body, [
            opens(maker), "payment: outcome = success", f"payment: payee.name = {NAME}"])
    der = base64.b64decode(encrypted("sm2"))
    for maker, name, verdict, value in [
        (rsa, "name_other_key", "seal.invalid", tools().encrypt("rsa-sign", NAME.encode(), *OAEP)),
        (rsa, "name_pkcs1", "seal.invalid", encrypted("rsa", options=[])),
        (rsa, "name_oaep_sha256", "seal.invalid", encrypted("rsa", options=OAEP_SHA256)),
        (rsa, "name_not_utf8", "encoding.utf8", encrypted("rsa", NAME.encode("gbk"))),
        (rsa, "name_long", "field.length", encrypted("rsa", "a" * 65)),
        (rsa, "name_with_line_end", "field.charset", encrypted("rsa", NAME + "\n")),
        (sm, "name_other_sm2_key", "seal.invalid", tools().encrypt("sm2-sign", NAME.encode())),
        (sm, "name_sm2_altered", "seal.invalid", base64.b64encode(der[:-1] + bytes([der[-1] ^ 1])).decode()),
    ]:
        body = transfer(value)
        maker.write(f"wrong_{name}", TRANSFER, made(maker, body), body, [f"key: {maker.key}", opens(maker), f"verdict: {verdict}"])
    body = found(tools().encrypt("sm2-sign", NAME.encode()))
    sm.write("wrong_found_name_other_key", "200", answered(sm, body), body, [f"key: {sm.key}", opens(sm), "verdict: seal.invalid"])
    for maker, name, rule, value in [
        (rsa, "name_in_clear", "seal.missing at user_name", NAME),
        (sm, "name_in_clear_sm2", "seal.missing at user_name", NAME),
        (rsa, "name_short_ciphertext", "seal.missing at user_name", base64.b64encode(bytes(64)).decode()),
        (rsa, "name_long_ciphertext", "field.length at user_name", base64.b64encode(bytes(1024)).decode()),
        (sm, "name_sm2_raw", "seal.missing at user_name", raw_sm2(der)),
        (sm, "name_rsa_for_sm2", "seal.missing at user_name", encrypted("rsa")),
        (sm, "name_sm2_trailing", "seal.missing at user_name", base64.b64encode(der + b"\0").decode()),
        (rsa, "name_empty", "seal.missing at user_name", ""),
    ]:
        body = transfer(value)
        maker.wrong(name, rule, TRANSFER, made(maker, body), body)
    body = transfer(encrypted("rsa"))
    rsa.wrong("name_without_serial", "seal.envelope at user_name", TRANSFER, rsa.call(TRANSFER, body), body)
    twice = made(rsa, body) + [f"header: wechatpay-serial = {SERIAL}"]
    rsa.wrong("name_two_serials", "field.duplicate at @wechatpay-serial", TRANSFER, twice, body)


def raw_sm2(der):
    """04 C1 C3 C2 of a ciphertext in ASN.1."""
    at, parts = 2 if der[1] < 128 else 3, []
    while at < len(der):
        length = der[at + 1]
        parts.append(der[at + 2:at + 2 + length])
        at += 2 + length
    x, y, digest, text = parts
    point = b"".join(part[-32:].rjust(32, b"\0") for part in (x, y))
    return base64.b64encode(b"\4" + point + digest + text).decode()


DEBIT = {"appid": "wxd678efh567hg6787", "mchid": "1900000109", "description": "茶点", "out_trade_no": "20300102183005000001",
         "contract_id": "202001020000000001", "amount": {"total": 1234, "currency": "CNY"}}
PAID = {"mchid": "1900000109", "appid": "wxd678efh567hg6787", "out_trade_no": "20300102183005000001", "transaction_id": "4200000000203001020000000001",
        "trade_type": "PAP", "trade_state": "SUCCESS", "success_time": "2030-01-02T18:30:04+08:00", "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": 1234, "payer_total": 1234, "currency": "CNY"}}
REFUNDED = {"mchid": "1900000109", "out_trade_no": "20300102183005000000", "out_refund_no": "20300102183005000009", "refund_id": "50000000382030010200000001",
            "refund_status": "SUCCESS", "success_time": "2030-01-02T18:30:04+08:00", "amount": {"total": 1234, "refund": 1000}}
DEBIT_LINES = ["payment: operation = debit", "payment: amount = 1234", "payment: com.serial = 20300102183005000001",
               "payment: agreement = 202001020000000001", "payment: com.sender = 1900000109"]
PAID_LINES = ["payment: outcome = success", "payment: original.operation = debit", "payment: amount = 1234",
              "payment: original.end_to_end_id = 20300102183005000001"]


def make():
    vectors()
    sm, rsa = Maker("sm2"), Maker("rsa")
    for maker in [sm, rsa]:
        body = compact(DEBIT)
        maker.good(f"debit_{maker.suite}", APPLY, maker.call(APPLY, body), body, DEBIT_LINES)
        body = maker.notice("TRANSACTION.SUCCESS", PAID)
        maker.good(f"notice_{maker.suite}", TRADE, maker.theirs(body), body, PAID_LINES)
    tools().write("tenpay", "acknowledged", ["expect: ok", "source: facts/institutions.md 2", "start: 200", "payment: operation = ack"],
                  '{"code":"SUCCESS"}')
    sealed_fields(rsa, sm)
    good(sm)
    wrong_requests(sm)
    wrong_answers(sm)
    wrong_notices(sm)


def good(sm):
    sm.good("query", QUERY, sm.call(QUERY, ""), "", ["payment: operation = query", "payment: com.sender = 1900000109"])
    body = compact(PAID)
    sm.good("query_paid", "200", sm.theirs(body, answers="transactions.query.answer"), body, ["payment: outcome = success", "payment: amount = 1234"])
    body = '{"code":"ORDER_NOT_EXIST","message":"订单不存在"}'
    sm.good("query_not_found", "404", sm.theirs(body, answers="transactions.query.answer"), body,
            ["payment: outcome = failed original_not_found: 订单不存在"])
    body = '{"code":"SYSTEM_ERROR","message":"系统错误"}'
    sm.good("debit_system_error", "500", sm.theirs(body, answers="papay.apply.answer"), body, ["payment: outcome = unknown"])
    body = '{"code":"NOT_ENOUGH","message":"余额不足"}'
    sm.good("debit_failed", "403", sm.theirs(body, answers="papay.apply.answer"), body, ["payment: outcome = failed insufficient_funds: 余额不足"])
    sm.good("debit_accepted", "204", sm.theirs("", answers="papay.apply.answer"), "", ["payment: outcome = unknown"])
    sm.good("terminated", "204", sm.theirs("", answers="papay.terminate.answer"), "", ["payment: outcome = success"])
    body = sm.notice("REFUND.SUCCESS", REFUNDED, "refund")
    sm.good("refund_notice", REFUND, sm.theirs(body, at=NOW - 299), body,
            ["payment: outcome = success", "payment: original.operation = refund", "payment: amount = 1000"])
    body = sm.notice("PAPAY.TERMINATE", {"mchid": "1900000109", "contract_id": "202001020000000001"}, "papay")
    sm.good("agreement_notice", AGREEMENT, sm.theirs(body), body, ["payment: agreement = 202001020000000001"])


def wrong_requests(sm):
    body = compact(DEBIT)
    heads = sm.call(APPLY, body)
    sm.unverified("amount_altered", "signature.invalid", APPLY, heads, body.replace("1234", "1", 1))
    sm.unverified("reserialised", "signature.invalid", APPLY, heads, json.dumps(DEBIT, ensure_ascii=False))
    no_end = lambda *lines: tools().sign("sm", "\n".join(map(str, lines)).encode())
    sm.unverified("no_last_line_feed", "signature.invalid", APPLY, sm.call(APPLY, body, sign=no_end), body)
    only_path = lambda method, target, *rest: sm.sign(method, target.split("?")[0], *rest)
    sm.unverified("query_string_unsigned", "signature.invalid", QUERY, sm.call(QUERY, "", sign=only_path), "")
    sm.unverified("other_target", "signature.invalid", QUERY.replace("000001?", "000002?"), sm.call(QUERY, ""), "")
    raw = tools().raw(sm.sign("POST", APPLY.split(" ")[1], NOW - 5, "593BEC0C930BF1AFEB40B4A08C8FB242", body))
    sm.unverified("raw_signature", "signature.encoding", APPLY, sm.call(APPLY, body, signature=raw), body)
    for name, at in [("too_old", NOW - 300), ("too_new", NOW + 300), ("much_too_old", NOW - 86400)]:
        sm.unverified(name, "signature.window", APPLY, sm.call(APPLY, body, at=at), body)
    sm.unverified("moment_altered", "signature.invalid", APPLY, sm.call(APPLY, body, timestamp=str(NOW)), body)
    head = heads[0]
    for name, rule, old, new in [
        ("no_authorization", "field.missing", head, "header: x = 1"),
        ("other_kind", "field.code at @authorization/scheme", "WECHATPAY2-SM2-WITH-SM3", "WECHATPAY2-SHA256-RSA2048"),
        ("part_twice", "header.parts", 'mchid="', 'nonce_str="1",mchid="'),
        ("part_unquoted", "header.parts", 'mchid="1900000109"', "mchid=1900000109"),
        ("part_open", "header.parts", 'mchid="1900000109"', 'mchid="1900000109'),
        ("part_quote_inside", "header.parts", 'mchid="1900000109"', 'mchid="19000"00109"'),
        ("no_word", "header.parts", "WECHATPAY2-SM2-WITH-SM3 ", ""),
        ("no_nonce", "field.missing at @authorization/nonce_str", "nonce_str=", "nonce="),
        ("nonce_too_long", "field.length at @authorization/nonce_str", 'nonce_str="', 'nonce_str="0'),
        ("moment_in_millis", "field.length at @authorization/timestamp", f'timestamp="{NOW - 5}', f'timestamp="{NOW - 5}000'),
        ("moment_no_number", "field.charset at @authorization/timestamp", f'timestamp="{NOW - 5}', 'timestamp="18935802x5'),
        ("no_serial", "field.missing at @authorization/serial_no", "serial_no=", "serial="),
    ]:
        changed = head.replace(old, new, 1)
        assert changed != head, name
        sm.wrong(name, rule, APPLY, [changed], body)
    sm.wrong("authorization_twice", "field.duplicate", APPLY, heads + heads, body)
    for name, rule, old, new in [
        ("amount_text", "json.type at amount/total", '"total":1234', '"total":"1234"'),
        ("amount_fraction", "json.type at amount/total", '"total":1234', '"total":12.34'),
        ("amount_negative", "json.type at amount/total", '"total":1234', '"total":-1234'),
        ("amount_twice", "field.duplicate", '"total":1234', '"total":1,"total":1234'),
        ("amount_twice_escaped", "field.duplicate", '"total":1234', '"t\\u006ftal":1,"total":1234'),
        ("other_currency", "field.code at amount/currency", '"CNY"', '"USD"'),
        ("no_agreement", "field.missing at contract_id", "contract_id", "contract"),
        ("order_short", "field.length at out_trade_no", "20300102183005000001", "20300"),
        ("order_slash", "field.charset at out_trade_no", "20300102183005000001", "2030/0102"),
        ("trailing", "json.syntax", '"CNY"}}', '"CNY"}}{}'),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        sm.wrong(name, rule, APPLY, heads, changed)
    sm.wrong("no_query_string", "http.target", QUERY.split("?")[0], sm.call(QUERY, ""), "")
    sm.wrong("target_slash", "http.target", QUERY.replace("183005", "/"), sm.call(QUERY, ""), "")
    sm.wrong("target_more", "http.target", QUERY + "&x=1", sm.call(QUERY, ""), "")
    sm.wrong("query_body", "message.body", QUERY, sm.call(QUERY, "{}"), "{}")


def wrong_answers(sm):
    body = compact(PAID)
    paid = sm.theirs(body, answers="transactions.query.answer")
    sm.unverified("answer_altered", "signature.invalid", "200", paid, body.replace("SUCCESS", "CLOSED"))
    probe = sm.theirs(body, signature="WECHATPAY/SIGNTEST/" + sm.sign(NOW - 5, "c5ac7061fccab6bf3e254dcf98995b8c", body),
                      answers="transactions.query.answer")
    sm.unverified("answer_probe", "signature.invalid", "200", probe, body)
    sm.unverified("answer_unsigned", "field.missing", "200", [head for head in paid if "signature =" not in head], body)
    sm.unverified("answer_emptied", "signature.invalid", "204", sm.theirs(body, answers="papay.terminate.answer"), "")
    sm.unverified("answer_too_old", "signature.window", "200", sm.theirs(body, at=NOW - 300, answers="transactions.query.answer"), body)
    sm.wrong("answer_unnamed", "message.code", "200", sm.theirs(body), body)
    sm.wrong("answer_to_nothing", "message.unknown", "200", sm.theirs(body, answers="nothing"), body)
    sm.wrong("answer_is_request", "message.mismatch", "200", sm.theirs(body, answers="papay.apply"), body)
    sm.wrong("answer_page", "json.syntax", "502", sm.theirs("<html></html>", answers="papay.apply.answer"), "<html></html>")
    sm.wrong("success_with_error_status", "http.status", "500", paid, body)
    other = {"signature-type": KINDS["rsa"]}
    sm.wrong("answer_other_kind", "field.code at @wechatpay-signature-type", "200", sm.theirs(body, answers="transactions.query.answer", **other), body)


def wrong_notices(sm):
    body = sm.notice("TRANSACTION.SUCCESS", PAID)
    probe = "WECHATPAY/SIGNTEST/" + sm.sign(NOW - 5, "c5ac7061fccab6bf3e254dcf98995b8c", body)
    sm.unverified("notice_probe", "signature.invalid", TRADE, sm.theirs(body, signature=probe), body)
    sm.unverified("notice_too_old", "signature.window", TRADE, sm.theirs(body, at=NOW - 300), body)
    sm.unverified("notice_elsewhere_signed", "signature.invalid", TRADE, sm.theirs(body), sm.notice("TRANSACTION.SUCCESS", PAID | {"amount": {"total": 1}}))
    for name, verdict, changed in [
        ("resource_other_key", "seal.invalid", sm.notice("TRANSACTION.SUCCESS", PAID, key=b"AnotherKeyOfThirtyTwoCharacters_")),
        ("resource_other_nonce", "seal.invalid", sm.notice("TRANSACTION.SUCCESS", PAID, nonce="fdasflkja484").replace("fdasflkja484", "fdasflkja485")),
        ("resource_other_data", "seal.invalid", sm.notice("TRANSACTION.SUCCESS", PAID, associated_data="refund")),
        ("resource_no_data", "seal.invalid", sm.notice("TRANSACTION.SUCCESS", PAID, associated_data="")),
        ("resource_no_json", "json.syntax", sm.notice("TRANSACTION.SUCCESS", "SUCCESS")),
        ("resource_list", "json.type", sm.notice("TRANSACTION.SUCCESS", "[]")),
        ("resource_key_twice", "field.duplicate", sm.notice("TRANSACTION.SUCCESS", compact(PAID)[:-1] + ',"trade_state":"CLOSED"}')),
        ("resource_no_amount", "field.missing", sm.notice("TRANSACTION.SUCCESS", {k: v for k, v in PAID.items() if k != "amount"})),
        ("resource_amount_text", "json.type", sm.notice("TRANSACTION.SUCCESS", PAID | {"amount": {"total": "1234"}})),
        ("resource_order_short", "field.length", sm.notice("TRANSACTION.SUCCESS", PAID | {"out_trade_no": "1"})),
    ]:
        # Left out, not empty.
        changed = changed.replace('"associated_data":"",', "")
        sm.unverified(name, verdict, TRADE, sm.theirs(changed), changed)
    for name, rule, old, new in [
        ("resource_other_algorithm", "field.code at resource/algorithm", "AEAD_SM4_GCM", "AEAD_AES_256_GCM"),
        ("resource_nonce_long", "field.length at resource/nonce", "fdasflkja484", "fdasflkja4849"),
        ("resource_no_base64", "field.kind at resource/ciphertext", '"ciphertext":"', '"ciphertext":"*'),
        ("resource_in_clear", "field.missing at resource/ciphertext", '"ciphertext"', '"cleartext"'),
        ("notice_no_id", "field.missing at id", '"id"', '"no"'),
        ("notice_other_event", "field.code at event_type", "TRANSACTION.SUCCESS", "REFUND.SUCCESS"),
    ]:
        changed = body.replace(old, new, 1)
        assert changed != body, name
        sm.wrong(name, rule, TRADE, sm.theirs(changed), changed)
    sm.wrong("notice_no_resource", "field.missing", TRADE, sm.theirs('{"id":"1"}'), '{"id":"1"}')
    sm.wrong("notice_elsewhere", "http.target", "POST /tenpay/notify", sm.theirs(body), body)
