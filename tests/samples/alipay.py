"""Samples of codecs/alipay: facts/institutions.md 4, names and numbers invented but for the published vector."""

import base64
import json
import sys
from urllib.parse import quote_plus

FORM = "POST /gateway.do"
TRADE = "POST /alipay/notify/trade"
AGREEMENT = "POST /alipay/notify/agreement"

# Vector 4a: a notice as production signed it, published in alipay-sdk-nodejs-all, test/alipay.test.ts.
PUBLISHED = {
    "gmt_create": "2019-08-15 15:56:22",
    "charset": "utf-8",
    "seller_email": "z97-yuquerevenue@service.aliyun.com",
    "subject": "语雀空间 500人规模",
    "sign": "QfTb8tqE1BMhS5qAnXtvsF3/jBkEvu9q9en0pdbBUDDjvKycZhQb7h8GDs4FKfi049PynaNuatxSgLb/nLWZpXyyh0LEWdK2S6Ri7nPwrVgOs08zugLO20vOQz44y3ti2Ncm8/wZts1Fr2gZ7pShnVX3d1B50hbsXnObT1r/U8ONNQjWXd0HIul4TG+Q3fm3svmSvFEy0WnzuhcyHPX5Gm4ELNctL6Qd5YniGJFNcc7kopHYtI/XD9YCKCH6Ct02rzUs9i11C9CsadtZn+WhxF26Dqt9sGEFajkJ8cxUTLi8+VCpLHsgPE8P0y095uQcDdK0YjCh4x7wVSov+lrmOQ==",
    "buyer_id": "2088102534368455",
    "invoice_amount": "0.10",
    "notify_id": "2019081500222155624068450559358070",
    "fund_bill_list": '[{"amount":"0.10","fundChannel":"ALIPAYACCOUNT"}]',
    "notify_type": "trade_status_sync",
    "trade_status": "TRADE_SUCCESS",
    "receipt_amount": "0.10",
    "buyer_pay_amount": "0.10",
    "sign_type": "RSA2",
    "app_id": "2019073166072302",
    "seller_id": "2088531891668739",
    "gmt_payment": "2019-08-15 15:56:24",
    "notify_time": "2019-08-15 15:56:25",
    "version": "1.0",
    "out_trade_no": "20190815155618536-564-57",
    "total_amount": "0.10",
    "trade_no": "2019081522001468450512505578",
    "auth_app_id": "2019073166072302",
    "buyer_logon_id": "xud***@126.com",
    "point_amount": "0.00",
}


def tools():
    return sys.modules["__main__"]


def form(pairs):
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs.items())


def text(pairs, excluded=("sign",)):
    return "&".join(f"{key}={pairs[key]}" for key in sorted(pairs) if pairs[key] and key not in excluded)


def seal(content, key=None, cipher="aes-128-cbc", iv=bytes(16)):
    """Base64 of AES in CBC with a zero IV and PKCS #7 padding, as the gateway's `encrypt_type=AES` says."""
    key = key or (tools().KEYS / "alipay-aes.mac").read_bytes()
    vector = [] if cipher.endswith("ecb") else ["-iv", iv.hex()]
    data = content if isinstance(content, bytes) else content.encode()
    return base64.b64encode(tools().openssl("enc", f"-{cipher}", "-K", key.hex(), *vector, data=data)).decode()


class Maker:
    def __init__(self, suite):
        self.suite = suite
        self.kind = "SM2" if suite.startswith("sm") else "RSA2"
        self.key = "sm2-sign" if suite.startswith("sm") else "rsa-sign"
        self.aes, self.has_certificates = suite.endswith("_aes"), "_key" not in suite

    def sign(self, data):
        return tools().sign(self.suite, data.encode())

    def request(self, method, content, more=None):
        pairs = {
            "app_id": "2021000122671080", "method": method, "format": "JSON", "charset": "utf-8", "sign_type": self.kind,
            "timestamp": "2030-01-02 18:30:05", "version": "1.0", "biz_content": json.dumps(content, ensure_ascii=False),
            "notify_url": "https://bank.example/alipay/notify/trade", "app_auth_token": "",
        }
        if self.aes:
            pairs |= {"encrypt_type": "AES", "biz_content": seal(content if isinstance(content, str) else pairs["biz_content"])}
        if self.has_certificates:
            roots = {"rsa2": "687b59193f3f462dd5336e5abf83c5d8_02941eef3187dddf3d3b83462e1dfcf6", "sm2": "9e64d67d36446de33aae13a33a89e5a7"}
            pairs |= {"app_cert_sn": "866efef280dec9137a87d047ac446315", "alipay_root_cert_sn": roots[self.suite.removesuffix("_aes")]}
        return self.signed(pairs | (more or {}))

    def signed(self, pairs, excluded=("sign",)):
        return pairs | {"sign": self.sign(text(pairs, excluded))}

    def answer(self, member, value):
        serial = ',"alipay_cert_sn":"7513daaaa48aa3ba2e4018d84402479c"' if self.has_certificates else ""
        return f'{{"{member}":{value},"sign":"{self.sign(value)}"{serial}}}'

    def notice(self, kind, more, excluded):
        pairs = {"app_id": "2021000122671080", "charset": "utf-8", "version": "1.0", "sign_type": self.kind, "notify_type": kind,
                 "notify_id": "2030010200222183005000000000000001", "notify_time": "2030-01-02 18:30:06"}
        return self.signed(pairs | more, excluded)

    def write(self, name, start, body, more, expect="ok"):
        is_wrong = expect != "ok" or any(line.startswith("verdict") for line in more)
        made = "made with openssl after facts/institutions.md 4" + ("; wrong on purpose" if is_wrong else "")
        lines = [f"expect: {expect}", f"source: {made}", f"suite: {self.suite}", f"start: {start}", *more]
        tools().write("alipay", name, lines, body)

    def good(self, name, start, body, more):
        opens = ["opens: alipay-aes"] if self.aes and "notify" not in start else []
        self.write(name, start, body, [f"key: {self.key}", *opens, *more])

    def wrong(self, name, rule, start, body):
        self.write(f"wrong_{name}", start, body, [], expect=rule)

    def unverified(self, name, verdict, start, body):
        opens = ["opens: alipay-aes"] if self.aes else []
        self.write(f"wrong_{name}", start, body, [f"key: {self.key}", *opens, f"verdict: {verdict}"])


PAY = {"out_trade_no": "20300102183005000001", "total_amount": "12.34", "subject": "茶 & 点心=1+1", "product_code": "GENERAL_WITHHOLDING",
       "agreement_params": {"agreement_no": "90000000000000000001"}}
PAID = ('{ "code":"10000","msg":"Success","trade_no":"2030010222001400000000000001", "out_trade_no":"20300102183005000001",'
        '"total_amount":"12.34","buyer_logon_id":"a{b}\\"c\\\\","store_name":"http:\\/\\/shop.example\\/","sign":"xxx" }')
STATE = {"out_trade_no": "20300102183005000001", "trade_no": "2030010222001400000000000001", "trade_status": "TRADE_SUCCESS",
         "total_amount": "12.34", "seller_id": "2088000000000001", "gmt_payment": "2030-01-02 18:30:05", "body": ""}
ENDED = {"agreement_no": "90000000000000000001", "status": "UNSIGN", "unsign_time": "2030-01-02 18:30:05"}
PAY_LINES = ["payment: operation = debit", "payment: amount = 1234", "payment: com.serial = 20300102183005000001",
             "payment: agreement = 90000000000000000001", "payment: remark = 茶 & 点心=1+1"]


def make():
    sm, rsa, key = Maker("sm2"), Maker("rsa2"), Maker("sm2_key")
    published = ["expect: ok", "source: facts/institutions.md vector 4a, signed by production", "suite: rsa2_key", f"start: {TRADE}",
                 "key: alipay-notify", "payment: amount = 10", "payment: outcome = success",
                 "payment: original.end_to_end_id = 20190815155618536-564-57"]
    tools().write("alipay", "trade_notice_published", published, form(PUBLISHED))
    for maker in [sm, rsa, key]:
        maker.good(f"pay_{maker.suite}", FORM, form(maker.request("alipay.trade.pay", PAY)), PAY_LINES)
        maker.good(f"pay_answer_{maker.suite}", "200", maker.answer("alipay_trade_pay_response", PAID),
                   ["payment: outcome = success", "payment: com.serial = 20300102183005000001"])
    answers(sm)
    sm.good("trade_notice", TRADE, form(sm.notice("trade_status_sync", STATE, ("sign", "sign_type"))),
            ["payment: outcome = success", "payment: original.operation = debit", "payment: amount = 1234"])
    sm.good("agreement_notice", AGREEMENT, form(sm.notice("dut_user_unsign", ENDED, ("sign",))),
            ["payment: operation = notice", "payment: agreement = 90000000000000000001"])
    tools().write("alipay", "acknowledged", ["expect: ok", "source: facts/institutions.md 4.1", "start: 200", "payment: operation = ack"],
                  "success")
    wrong_requests(sm)
    wrong_answers(sm)
    wrong_notices(sm)
    sealed(Maker("rsa2_aes"), Maker("sm2_aes"), Maker("rsa2_key_aes"))


def sealed(rsa, sm, key):
    for maker in [rsa, sm, key]:
        maker.good(f"pay_{maker.suite}", FORM, form(maker.request("alipay.trade.pay", PAY)), PAY_LINES)
        maker.good(f"pay_answer_{maker.suite}", "200", maker.answer("alipay_trade_pay_response", f'"{seal(PAID)}"'),
                   ["payment: outcome = success", "payment: com.serial = 20300102183005000001"])
    failed = '{"code":"40004","msg":"Business Failed","sub_code":"ACQ.BUYER_BALANCE_NOT_ENOUGH","sub_msg":"余额不足"}'
    rsa.good("pay_failed_aes", "200", rsa.answer("alipay_trade_pay_response", f'"{seal(failed)}"'),
             ["payment: outcome = failed insufficient_funds: 余额不足"])
    escaped = seal(PAID).replace("/", "\\/")
    rsa.good("pay_answer_aes_escaped", "200", rsa.answer("alipay_trade_pay_response", f'"{escaped}"'), ["payment: outcome = success"])
    error = rsa.answer("error_response", '{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.decryption-error"}')
    rsa.write("gateway_refusal_aes", "200", error, [f"key: {rsa.key}", "payment: operation = notice"])
    rsa.good("trade_notice_aes", TRADE, form(rsa.notice("trade_status_sync", STATE, ("sign", "sign_type"))),
             ["payment: outcome = success", "payment: original.operation = debit"])
    wrong_sealed(rsa)


def wrong_sealed(rsa):
    answer = lambda value: rsa.answer("alipay_trade_pay_response", value)
    paid, text = seal(PAID), json.dumps(PAY, ensure_ascii=False)
    bytes_of = bytearray(base64.b64decode(paid))
    bytes_of[-1] ^= 1
    other = b"0123456789abcdef"
    altered = rsa.request("alipay.trade.pay", PAY)
    rsa.unverified("aes_altered", "signature.invalid", FORM, form(altered | {"biz_content": seal(text.replace("12.34", "0.01"))}))
    rsa.unverified("aes_signed_before_sealed", "signature.invalid", FORM, form(altered | {"sign": rsa.sign(text_of(altered, text))}))
    rsa.unverified("aes_signed_without_quotes", "signature.invalid", "200", answer(f'"{paid}"').replace(rsa.sign(f'"{paid}"'), rsa.sign(paid)))
    for name, verdict, value in [
        ("aes_last_block", "seal.invalid", base64.b64encode(bytes_of).decode()),
        ("aes_no_json", "json.syntax", seal("success")),
        ("aes_list", "json.type", seal("[]")),
        ("aes_not_utf8", "encoding.utf8", seal(PAID.encode().replace(b"Success", "成功".encode("gbk")))),
        ("aes_key_twice", "field.duplicate", seal(PAID[:-2] + ',"code":"40004"}')),
        ("aes_no_code", "field.missing", seal(PAID.replace('"code":"10000",', ""))),
        ("aes_other_iv", "encoding.control", seal(PAID, iv=other)),
    ]:
        rsa.unverified(name, verdict, "200", answer(f'"{value}"'))
    rsa.unverified("aes_amount_number", "json.type", FORM, form(rsa.request("alipay.trade.pay", text.replace('"12.34"', "12.34"))))
    for name, rule, value in [
        ("aes_answer_in_clear", "json.type at alipay_trade_pay_response", PAID),
        ("aes_half_a_block", "seal.missing", f'"{base64.b64encode(bytes(24)).decode()}"'),
        ("aes_hex", "field.kind at alipay_trade_pay_response", '"AF_00"'),
    ]:
        if rule == "seal.missing":
            rsa.unverified(name, rule, "200", answer(value))
        else:
            rsa.wrong(name, rule, "200", answer(value))
    clear = rsa.signed(altered | {"biz_content": text})
    rsa.wrong("aes_content_in_clear", "field.charset at biz_content", FORM, form(clear))
    rsa.wrong("aes_other_type", "field.code at encrypt_type", FORM, form(rsa.signed(altered | {"encrypt_type": "RSA"})))
    Maker("rsa2").wrong("content_sealed_without_suite", "json.syntax", FORM, form(altered))


def text_of(pairs, content):
    return text(pairs | {"biz_content": content})


def answers(sm):
    failed = '{"code":"40004","msg":"Business Failed","sub_code":"ACQ.BUYER_BALANCE_NOT_ENOUGH","sub_msg":"余额不足"}'
    sm.good("pay_failed", "200", sm.answer("alipay_trade_pay_response", failed), ["payment: outcome = failed insufficient_funds: 余额不足"])
    unknown = failed.replace("BUYER_BALANCE_NOT_ENOUGH", "SYSTEM_ERROR")
    sm.good("pay_system_error", "200", sm.answer("alipay_trade_pay_response", unknown), ["payment: outcome = unknown"])
    waiting = '{"code":"10000","msg":"Success","out_trade_no":"20300102183005000001","trade_status":"WAIT_BUYER_PAY"}'
    sm.good("query_waiting", "200", sm.answer("alipay_trade_query_response", waiting), ["payment: outcome = unknown"])
    missing = '{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"交易不存在"}'
    sm.good("query_not_found", "200", sm.answer("alipay_trade_query_response", missing),
            ["payment: outcome = failed original_not_found: 交易不存在"])
    refunded = '{"code":"10000","msg":"Success","out_trade_no":"20300102183005000000","fund_change":"N","refund_fee":"12.34"}'
    sm.good("refund_without_change", "200", sm.answer("alipay_trade_refund_response", refunded), ["payment: outcome = unknown"])
    sm.good("gateway_refusal", "200", sm.answer("error_response", '{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-signature"}'),
            ["payment: operation = notice"])


def wrong_requests(sm):
    pay = sm.request("alipay.trade.pay", PAY)
    sm.unverified("value_altered", "signature.invalid", FORM, form(pay | {"biz_content": pay["biz_content"].replace("12.34", "0.01")}))
    sm.unverified("signed_encoded", "signature.invalid", FORM, form(pay | {"sign": sm.sign(form({k: pay[k] for k in sorted(pay) if k != "sign" and pay[k]}))}))
    sm.unverified("empty_signed", "signature.invalid", FORM, form(pay | {"sign": sm.sign("&".join(f"{k}={pay[k]}" for k in sorted(pay) if k != "sign"))}))
    sm.unverified("raw_signature", "signature.encoding", FORM, form(pay | {"sign": tools().raw(pay["sign"])}))
    sm.unverified("unsigned", "field.missing", FORM, form(pay | {"sign": ""}))
    whole = form(pay)
    for name, rule, old, new in [
        ("key_twice", "field.duplicate", "&version=1.0", "&version=1.0&version=1.0"),
        ("key_twice_escaped", "field.duplicate", "&version=1.0", "&version=1.0&%76ersion=1.0"),
        ("content_twice", "field.duplicate", "&version=1.0", "&version=1.0&biz_content=%7B%7D"),
        ("escape_cut", "form.escape", "&version=1.0", "&version=1.0%"),
        ("not_utf8", "encoding.utf8", "&version=1.0", "&version=1.0&x=%D5%C5"),
        ("gbk_declared", "field.code at charset", "charset=utf-8", "charset=GBK"),
        ("other_algorithm", "field.code at sign_type", "sign_type=SM2", "sign_type=RSA2"),
        ("method_missing", "message.code", "&method=alipay.trade.pay", ""),
        ("method_unknown", "message.unknown", "alipay.trade.pay", "alipay.trade.play"),
        ("content_no_json", "json.syntax", "biz_content=%7B", "biz_content=%7B%7B"),
        ("content_list", "json.type", "biz_content=%7B%22", "biz_content=%5B%5D&x=%7B%22"),
        ("amount_number", "json.type at total_amount", "%2212.34%22", "12.34"),
        ("amount_three_decimals", "field.kind at total_amount", "%2212.34%22", "%2212.340%22"),
        ("amount_in_full_width", "field.charset at total_amount", "%2212.34%22", "%22%EF%BC%91.34%22"),
        ("amount_key_twice", "field.duplicate", "%22total_amount%22", "%22total_amount%22%3A%220.01%22%2C%22total_amount%22"),
        ("agreement_missing", "field.missing at agreement_params/agreement_no", "agreement_no", "agreement_nr"),
        ("plus_unescaped", "field.kind at sign", "&sign=", "&sign=A+"),
    ]:
        changed = whole.replace(old, new, 1)
        assert changed != whole, name
        sm.wrong(name, rule, FORM, changed)
    sm.wrong("answer_as_request", "message.code", FORM, "alipay_trade_pay_response=1")
    sm.wrong("target", "http.target", "POST /gateway.do?charset=utf-8", whole)


def wrong_answers(sm):
    paid = sm.answer("alipay_trade_pay_response", PAID)
    sm.unverified("answer_reserialised", "signature.invalid", "200", json.dumps(json.loads(paid), ensure_ascii=False))
    sm.unverified("answer_unsigned", "field.missing", "200", '{"alipay_trade_pay_response":' + PAID + "}")
    sm.unverified("answer_signs_name_too", "signature.invalid", "200",
                  paid.replace(json.loads(paid)["sign"], sm.sign('"alipay_trade_pay_response":' + PAID)))
    sm.wrong("two_answers", "message.two", "200", paid[:-1] + ',"alipay_trade_refund_response":{"code":"10000"}}')
    sm.wrong("answer_twice", "field.duplicate", "200", paid[:-1] + ',"alipay_trade_pay_response":{"code":"10000"}}')
    sm.wrong("answer_unknown", "message.unknown", "200", paid.replace("alipay_trade_pay_response", "alipay_trade_play_response"))
    sm.wrong("answer_text", "json.type", "200", paid.replace(PAID, '"sealed"'))
    sm.wrong("answer_no_code", "field.missing at code", "200", paid.replace('"code":"10000",', ""))


def wrong_notices(sm):
    with_type, without_type = ("sign",), ("sign", "sign_type")
    sm.unverified("trade_notice_signs_type", "signature.invalid", TRADE, form(sm.notice("trade_status_sync", STATE, with_type)))
    sm.unverified("agreement_notice_leaves_type", "signature.invalid", AGREEMENT, form(sm.notice("dut_user_unsign", ENDED, without_type)))
    notice = sm.notice("trade_status_sync", STATE, without_type)
    sm.unverified("notice_state_altered", "signature.invalid", TRADE, form(notice | {"trade_status": "TRADE_CLOSED"}))
    sm.wrong("notice_elsewhere", "http.target", "POST /alipay/notify", form(notice))
    sm.wrong("notice_other_kind", "field.code at notify_type", TRADE, form(notice | {"notify_type": "dut_user_unsign"}))
    sm.wrong("notice_no_amount", "field.missing at total_amount", TRADE, form({k: v for k, v in notice.items() if k != "total_amount"}))
    sm.wrong("notice_no_id", "field.missing at notify_id", TRADE, form(notice | {"notify_id": ""}))
