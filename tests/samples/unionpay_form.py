"""Samples of codecs/unionpay-form: facts/institutions.md 6.1, names and numbers invented but for the published messages."""

import base64
import sys
from urllib.parse import quote_plus

BACK = "POST /gateway/api/backTransReq.do"
QUERY = "POST /gateway/api/queryTrans.do"
NOTIFY = "POST /unionpay/notify/debit"
ORDER = "20300102183005000001"

# Vector 6a, published in yansongda/pay: tests/Plugin/Unipay/Open and tests/Traits/UnipayTraitTest.php.
ASKED = {
    "txnTime": "20220903065448", "txnAmt": "1", "orderId": "yansongda20220903065448", "version": "5.1.0", "encoding": "utf-8",
    "bizType": "000201", "backUrl": "https://yansongda.cn/unipay/notify", "currencyCode": "156", "txnType": "01", "txnSubType": "01",
    "accessType": "0", "signMethod": "01", "channelType": "07", "merId": "777290058167151",
    "frontUrl": "https://yansongda.cn/unipay/return", "certId": "69903319369",
    "signature": "CJ0Hh6WC0YldYMi2cIi7rjOvV4IJyzhqgj8KKNeRWZz+2csPVlDcnP1f4YfykVww6NDimsl2zE+oQAm7lH8qiU5f8ojVH+P62uMe1yqb2WoNlIM45REg6bhfUPvATgecVplnKIPdFUGdRZ97va+ZVbla75HwtskZnDykmr9rkYaSg7PcGuilEwHcb2rV+BNkCi3bi4fYELjYlE1a7Imv/cSLRyXkPS1jzF0HUIUiVA6P98DYh0GbsgqRZqPYsGocFJs9jZoAlu44RygzDKjK/n8iwhHNH61IFaADdGp+uLQsol6kR/DRpF1pZgO7lsuK0YuaL6pfN6dtkJO9prbu6Q==",
}
ANSWERED = {
    "accNo": "dZRvehtDtCcBPbPBVJk+ezkyeXkF07UnbKwr8/012R5XSsDLE4RqpHSLis7WCItKIf6SYUcXCLHYpV9deIfnJfziDGpUdQXnlPfejrw5pKglzjKI/pRYg0ApNomryVBIoUIdTwlpELh048ITEojRgJwzaazWdLaB5iZPeN22E2KP7JkfwsYHEclVpLY4tYEc35IjMpWCs0i8U5KY4qAJ3zXpCFIur4x+9z4gyK89Mwf+csowScvfDbFBsqTpClQlNRJ6lLWOrISNnlCdc1ONK4QVhabDTTWsemM7PSuya2e3imeZFfRYDmSv6W1eMIs0gbRo8BxOr3suUhb2ukPL7w==",
    "accessType": "0", "bizType": "000000", "currencyCode": "156", "encoding": "utf-8", "issuerIdentifyMode": "0",
    "merId": "777290058167151", "orderId": "pay20220911041647", "origRespCode": "00", "origRespMsg": "成功[0000000]",
    "queryId": "512209110416475616528", "respCode": "00", "respMsg": "成功[0000000]", "settleAmt": "1", "settleCurrencyCode": "156",
    "settleDate": "0911", "signMethod": "01", "traceNo": "561652", "traceTime": "0911041647", "txnAmt": "1", "txnSubType": "01",
    "txnTime": "20220911041647", "txnType": "01", "version": "5.1.0",
    "signature": "b59zh7aztBFNDNmCBOR4189VeG3Vypvuf7H3izqA4etA0AtsjtzV7RXigEFlNXaIHSTSkbAUfPXevY3nX18umwQSFsSphF5C+DiMzBmEJNo9vNiX1kpaeQPlXQfXTDQqmDjdQ4lyeNw/aDx6MHww2D8wpkUem+50cyWOeO1/brHDxwt8N/R2LMRC8QTFIg48N+9UZu6QDIUybQYBAoVS6F0emMxFTpAhVi85RVqIDofStiGhHZw7UocW0hw96+JSExyhc6WXEvmLW41DI3PqRxVu+HacjZqeU+siH7V9pdTPV7Yi3ATznzRhmufvN7r1LJmf/4GkGI1ayM3WLubZjg==",
}
NOTIFIED = {
    "accNo": "ORRSXWY1kMr8UJNxGx9xKPuO0Uhm8JT8aQV3sWswJfIsj/grkjauH4soyAtiqB9XwQotZOwmUAs/pkMupUkfiX9npdFGGEUEc5gqq+lcEwyD7tLmd2WBzRvcEvvjAKMKwTCFDxmQbIrP48ocIVhPoZ87ZQtQM5MIyJYedrzPRlt6BzRddUPGU1gJwDA8APDx3iyNl8EAfenJw7DUDZimmhbE1VSRmQm/iqgJurI7juq/6ztDHZHv4ys1eN9JYkwhcKxCjsWpwXTSy0PGvDXhsAZsDuNXHsjI8JLhHXvTDaU2+gc289LZPiwpr4Ah/reIuPWrIHubchYm2XTqQlUAaw==",
    "accessType": "0", "bizType": "000201", "currencyCode": "156", "encoding": "utf-8", "exchangeRate": "0", "merId": "777290058167151",
    "orderId": "yansongda20220908132206", "queryId": "782209081322060674028", "respCode": "00", "respMsg": "success", "settleAmt": "1",
    "settleCurrencyCode": "156", "settleDate": "0908", "signMethod": "01", "traceNo": "067402", "traceTime": "0908132206", "txnAmt": "1",
    "txnSubType": "01", "txnTime": "20220908132206", "txnType": "01", "version": "5.1.0",
    "signature": "JeA4S2+6TbGo9yjXDUvV5A2E3oJbunoCcZ66exN6xR3OH/5PNDK1VSV1Mq7XhVdxzkTeREUveiOYHalqoagRkh71nsHVvruwGbk6azygXSaawuO5tF67UIqNd4Mbufwh1KhbVpEkKbOETUvRhFcdon0fulE97I83eMSk52INHt8E1xk8NdbhyUadSlp+Uv30AKx70PpQbTGmVS3PJfd+Whj0b7LnvZKeC+BS1kUOtIKlcZO+gBoTigvCIJqj51kBrcBCs+x+VaeGm7EYBBhGSERpfQhQ4n+eJBwLdBeZ0/dNbo3iELjvVMx0n9KoW4klvUJhaH5LALA8pV02SbZv4Q==",
}
SECRET = "979da4cfccbae7923641daa5dd7047c2"
METHODS = {"rsa": "01", "sha256": "11", "sm3": "12"}


def tools():
    return sys.modules["__main__"]


def certificate():
    """That of UnionPay's test gateway, with its line ends as they travel; its public key becomes a key of the samples."""
    path = tools().ROOT / "keys/testdata/legacy/unionpay.cert.pem"
    public = tools().openssl("x509", "-in", str(path), "-noout", "-pubkey")
    (tools().KEYS / "unionpay-gateway.pub.pem").write_bytes(public)
    return path.read_text().rstrip().replace("\n", "\r\n")


def escaped(pairs):
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs.items())


def plain(pairs):
    return "&".join(f"{key}={value}" for key, value in pairs.items())


def text(pairs, excluded=("signature",)):
    return "&".join(f"{key}={pairs[key]}" for key in sorted(pairs) if pairs[key] and key not in excluded)


def digest(kind, data):
    return tools().openssl("dgst", f"-{kind}", data=data).split()[-1].decode()


class Maker:
    def __init__(self, suite):
        self.suite = suite
        self.key = "rsa-sign" if suite == "rsa" else "unionpay-secret"

    def sign(self, signed, hashes=1):
        if self.suite == "rsa":
            data = digest("sha256", signed.encode()).encode() if hashes else signed.encode()
            return base64.b64encode(tools().rsa_sign("rsa-sign", data)).decode()
        return digest(self.suite, f"{signed}&{digest(self.suite, SECRET.encode())}".encode())

    def signed(self, pairs, **options):
        return pairs | {"signature": self.sign(text(pairs), **options)}

    def frame(self, kind):
        return {"version": "5.1.0", "encoding": "UTF-8", "signMethod": METHODS[self.suite], "txnType": kind}

    def order(self, kind, more):
        pairs = self.frame(kind) | {
            "accessType": "0", "channelType": "07", "merId": "777290058110048", "txnSubType": "01", "bizType": "000301", "orderId": ORDER,
            "txnTime": ORDER[:14], "backUrl": "http://www.specialUrl.com", "txnAmt": "1234", "currencyCode": "156", "reqReserved": ""}
        serial = {"certId": "69903319369"} if self.suite == "rsa" else {}
        return pairs | serial | more

    def answer(self, kind, more):
        pairs = self.frame(kind) | {"merId": "777290058110048", "orderId": ORDER, "txnTime": ORDER[:14], "respCode": "00",
                                    "respMsg": "成功[0000000]"}
        return pairs | more | ({"signPubKeyCert": certificate()} if self.suite == "rsa" else {})

    def write(self, name, start, body, more, expect="ok"):
        is_wrong = expect != "ok" or any(line.startswith("verdict") for line in more)
        made = "made with openssl after facts/institutions.md 6.1" + ("; wrong on purpose" if is_wrong else "")
        lines = [f"expect: {expect}", f"source: {made}", f"suite: {self.suite}", f"start: {start}", *more]
        tools().write("unionpay-form", name, lines, body)

    def good(self, name, start, body, more):
        self.write(name, start, body, [f"key: {self.key}", *more])

    def wrong(self, name, rule, start, body):
        self.write(f"wrong_{name}", start, body, [], expect=rule)

    def unverified(self, name, verdict, start, body):
        self.write(f"wrong_{name}", start, body, [f"key: {self.key}", f"verdict: {verdict}"])


CONSUME = {"bindId": "90000000000000000001", "orderDesc": "茶 点心=1+1"}
DEBIT_LINES = ["payment: operation = debit", "payment: amount = 1234", f"payment: com.serial = {ORDER}",
               "payment: agreement = 90000000000000000001"]
NOTICE = {"merId": "777290058110048", "orderId": ORDER, "txnTime": ORDER[:14], "txnAmt": "1234", "queryId": "203001021830050000018",
          "respCode": "00", "respMsg": "成功", "settleAmt": "1234", "settleDate": "0102"}


def make():
    (tools().KEYS / "unionpay-secret.mac").write_text(SECRET + "\n")
    published()
    for suite in METHODS:
        maker = Maker(suite)
        maker.good(f"consume_{suite}", BACK, escaped(maker.signed(maker.order("01", CONSUME))), DEBIT_LINES)
        maker.good(f"consume_answer_{suite}", "200", plain(maker.signed(maker.answer("01", {"queryId": "203001021830050000018"}))),
                   ["payment: operation = debit", "payment: outcome = unknown", "payment: bank_tx_id = 203001021830050000018"])
    rsa = Maker("rsa")
    refused = rsa.answer("01", {"respCode": "64", "respMsg": "余额不足[1000064]"})
    rsa.good("consume_refused", "200", plain(rsa.signed(refused)), ["payment: outcome = failed insufficient_funds: 余额不足[1000064]"])
    early = rsa.answer("00", {"respCode": "34", "respMsg": "查无此交易[2600000]"})
    rsa.good("query_too_early", "200", plain(rsa.signed(early)), ["payment: operation = query", "payment: outcome = unknown"])
    notice = rsa.signed(rsa.frame("01") | NOTICE)
    rsa.good("consume_notice", NOTIFY, escaped(notice), ["payment: outcome = success", "payment: original.operation = debit"])
    wrong_requests(rsa)
    wrong_answers(rsa)
    wrong_secrets()
    sealed_fields(Maker("rsa"), Maker("sm3"))


def sealed_fields(rsa, sm3):
    """Card numbers under the gateway's RSA key: PKCS #1 v1.5, named by `encryptCertId`."""
    account = "6212345678901234567"
    encrypted = lambda clear: tools().encrypt("rsa-seal", clear.encode())
    payout = lambda maker, value, more: maker.order("12", {"txnSubType": "00", "bizType": "000401", "accNo": value, "encryptCertId": "68759622183"} | more)
    made = lambda maker, value, **more: escaped(maker.signed(payout(maker, value, more)))
    opens = "opens: rsa-seal"
    for maker in [rsa, sm3]:
        maker.good(f"payout_{maker.suite}", BACK, made(maker, encrypted(account)), [
            opens, "payment: operation = credit", "payment: amount = 1234", f"payment: payee.account = {account}"])
    rsa.good("payout_answer", "200", plain(rsa.signed(rsa.answer("12", {"txnAmt": "1234"}))), ["payment: operation = credit", "payment: outcome = unknown"])
    for name, verdict, value in [
        ("account_too_short", "field.length", encrypted(account[:7])),
        ("account_letters", "field.charset", encrypted("6212E45678901234567")),
    ]:
        rsa.write(f"wrong_{name}", BACK, made(rsa, value), [f"key: {rsa.key}", opens, f"verdict: {verdict}"])
    good = rsa.signed(payout(rsa, encrypted(account), {}))
    rsa.write("wrong_account_replaced", BACK, escaped(good | {"accNo": encrypted(account)}), [f"key: {rsa.key}", opens, "verdict: signature.invalid"])
    rsa.write("wrong_account_other_serial", BACK, escaped(good | {"encryptCertId": "1"}), [f"key: {rsa.key}", opens, "verdict: signature.invalid"])
    for name, rule, value in [
        ("account_in_clear", "seal.missing at accNo", account),
        ("account_cut", "seal.missing at accNo", encrypted(account)[:100]),
    ]:
        rsa.wrong(name, rule, BACK, made(rsa, value))
    rsa.wrong("account_without_serial", "seal.envelope at accNo", BACK, made(rsa, encrypted(account), encryptCertId=""))


def published():
    lines = ["expect: ok", "source: facts/institutions.md vector 6a, yansongda/pay", "suite: rsa"]
    with_certificate = {"signPubKeyCert": certificate()}
    tools().write("unionpay-form", "consume_published", [*lines, f"start: {BACK}", "payment: amount = 1",
                  "payment: end_to_end_id = yansongda20220903065448"], escaped(ASKED))
    gateway = [*lines, "key: unionpay-gateway"]
    tools().write("unionpay-form", "query_answer_published", [*gateway, "start: 200", "payment: operation = query",
                  "payment: outcome = success", "payment: original.end_to_end_id = pay20220911041647"], plain(ANSWERED | with_certificate))
    tools().write("unionpay-form", "consume_notice_published", [*gateway, f"start: {NOTIFY}", "payment: outcome = success",
                  "payment: amount = 1"], escaped(NOTIFIED | with_certificate))
    altered = [*gateway, "verdict: signature.invalid"]
    cases = {"code": {"origRespCode": "05"}, "certificate_lines": {"signPubKeyCert": certificate().replace("\r\n", "\n")},
             "amount": {"txnAmt": "2"}, "unknown_key": {"issuerIdentifyMode": "1"}}
    for name, change in cases.items():
        tools().write("unionpay-form", f"wrong_published_{name}", [*altered, "start: 200"], plain(ANSWERED | with_certificate | change))


def wrong_requests(rsa):
    order = rsa.order("01", CONSUME)
    signed = rsa.signed(order)
    rsa.unverified("amount_altered", "signature.invalid", BACK, escaped(signed | {"txnAmt": "123400"}))
    rsa.unverified("hashed_once", "signature.invalid", BACK, escaped(rsa.signed(order, hashes=0)))
    rsa.unverified("signed_escaped", "signature.invalid", BACK, escaped(order | {"signature": rsa.sign(escaped(dict(sorted(order.items()))))}))
    rsa.unverified("empty_signed", "signature.invalid", BACK,
                   escaped(order | {"signature": rsa.sign("&".join(f"{key}={order[key]}" for key in sorted(order)))}))
    rsa.unverified("order_of_form", "signature.invalid", BACK, escaped(order | {"signature": rsa.sign(plain(order))}))
    rsa.unverified("hex_signature", "signature.encoding", BACK, escaped(order | {"signature": "0z"}))
    rsa.wrong("other_method", "field.code at signMethod", BACK, escaped(signed | {"signMethod": "11"}))
    rsa.wrong("other_version", "field.code at version", BACK, escaped(signed | {"version": "5.0.0"}))
    rsa.wrong("kind_missing", "message.code", BACK, escaped({key: value for key, value in signed.items() if key != "txnType"}))
    rsa.wrong("kind_unknown", "message.unknown", BACK, escaped(signed | {"txnType": "99"}))
    rsa.wrong("query_where_orders_go", "message.unknown", BACK, escaped(signed | {"txnType": "00"}))
    rsa.wrong("order_where_queries_go", "message.mismatch", QUERY, escaped(signed))
    rsa.wrong("target", "http.target", "POST /gateway/api/frontTransReq.do", escaped(signed))
    rsa.wrong("amount_in_yuan", "field.charset at txnAmt", BACK, escaped(signed | {"txnAmt": "12.34"}))
    rsa.wrong("amount_led_by_zero", "field.kind at txnAmt", BACK, escaped(signed | {"txnAmt": "0001234"}))
    rsa.wrong("order_with_dash", "field.charset at orderId", BACK, escaped(signed | {"orderId": "2030-0102"}))
    rsa.wrong("order_short", "field.length at orderId", BACK, escaped(signed | {"orderId": "2030010"}))
    rsa.wrong("no_such_day", "field.kind at txnTime", BACK, escaped(signed | {"txnTime": "20300230183005"}))
    rsa.wrong("other_currency", "field.code at currencyCode", BACK, escaped(signed | {"currencyCode": "840"}))
    rsa.wrong("key_twice", "field.duplicate", BACK, escaped(signed) + "&txnAmt=1")
    rsa.wrong("key_twice_escaped", "field.duplicate", BACK, escaped(signed) + "&txn%41mt=1")
    rsa.wrong("unescaped", "form.escape", BACK, plain(signed))


def wrong_answers(rsa):
    answer = rsa.answer("01", {"queryId": "203001021830050000018"})
    signed = rsa.signed(answer)
    rsa.unverified("answer_code_altered", "signature.invalid", "200", plain(signed | {"respCode": "60"}))
    rsa.unverified("answer_escaped", "signature.invalid", "200", escaped(answer | {"signature": "AAAA"}))
    bare = {key: value for key, value in answer.items() if key != "signPubKeyCert"}
    rsa.unverified("answer_without_certificate", "signature.invalid", "200", plain(bare | {"signature": signed["signature"]}))
    rsa.unverified("answer_unsigned", "field.missing", "200", plain(answer))
    rsa.wrong("answer_key_twice", "field.duplicate", "200", plain(signed) + "&respCode=00")
    rsa.wrong("answer_broken_value", "form.syntax", "200", plain(signed | {"respMsg": "成功&[0000000]"}))
    rsa.wrong("answer_without_code", "field.missing at respCode", "200", plain({k: v for k, v in signed.items() if k != "respCode"}))
    rsa.wrong("answer_of_another_kind", "message.unknown", "200", plain(signed | {"txnType": "95"}))
    rsa.wrong("answer_as_notice", "form.escape", NOTIFY, plain(signed))
    notice = rsa.signed(rsa.frame("01") | NOTICE)
    rsa.wrong("notice_of_another_kind", "message.mismatch", NOTIFY, escaped(notice | {"txnType": "04"}))
    rsa.wrong("notice_without_number", "field.missing at queryId", NOTIFY, escaped({k: v for k, v in notice.items() if k != "queryId"}))


def wrong_secrets():
    for suite in ["sha256", "sm3"]:
        maker = Maker(suite)
        order = maker.order("01", CONSUME)
        bare = digest(suite, f"{text(order)}&{SECRET}".encode())
        maker.unverified(f"{suite}_bare_secret", "signature.invalid", BACK, escaped(order | {"signature": bare}))
        joined = digest(suite, f"{text(order)}{digest(suite, SECRET.encode())}".encode())
        maker.unverified(f"{suite}_no_separator", "signature.invalid", BACK, escaped(order | {"signature": joined}))
        maker.unverified(f"{suite}_upper", "signature.encoding", BACK, escaped(order | {"signature": maker.sign(text(order)).upper()}))
