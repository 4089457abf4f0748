"""Samples of codecs/unionpay-pos: facts/institutions.md 8, names and numbers invented. A packer and a MAC of their own."""

import sys

MERCHANT, TERMINAL, CARD = "900000000000001", "T0000001", "6200000000000000008"
HEADER = "603210320072"
NUMBERS = {11: "000002", 60: "22000001000" + "60", 41: TERMINAL, 42: MERCHANT}
# Digits that stand two a byte, filled behind (l) or before (r); z is a stripe with its separator; a is ASCII, b bytes.
KINDS = {2: "l2", 3: "l", 4: "l", 11: "l", 12: "l", 13: "l", 14: "l", 22: "l", 23: "r", 25: "l", 26: "l", 35: "l2", 37: "a", 38: "a",
         39: "a", 41: "a", 42: "a", 49: "a", 52: "b", 53: "l", 55: "b3", 60: "l3", 61: "l3", 64: "b"}


def tools():
    return sys.modules["__main__"]


def encrypt(suite, key, block):
    if suite.startswith("sm4"):
        cipher = ["-sm4-ecb", "-K", key.hex()]
    elif len(key) == 8:
        # Three times the same key is single DES, which current OpenSSL keeps apart.
        cipher = ["-des-ede3", "-K", (key * 3).hex()]
    else:
        cipher = ["-des-ede", "-K", key.hex()]
    return tools().openssl("enc", *cipher, "-nopad", data=block)


def mac(suite, key, text):
    size = 16 if suite.startswith("sm4") else 8
    folded = bytes(size)
    for at in range(0, len(text), size):
        folded = bytes(a ^ b for a, b in zip(folded, text[at:at + size].ljust(size, b"\0")))
    digits = folded.hex().upper().encode()
    first = encrypt(suite, key, digits[:size])
    last = encrypt(suite, key, bytes(a ^ b for a, b in zip(first, digits[size:])))
    return last[:8] if suite == "sm4_bytes" else last.hex().upper().encode()[:8]


def vectors():
    """Vectors 8a, 8b and 8d of the facts, which the Rust tests hold too."""
    frame = bytes.fromhex(
        "6000030000603210320072" "02003020048000c08015000000000000001234000002030099303030303030303139353237313831383232313738373531"
        "353600192600000100060000000000435f01123238343431323334353637383930313233345f03063136303033365f04063230303832365c02303142334130"
        "39324145")
    assert mac("des", bytes.fromhex("0723C80DB5F4CD3D"), frame[11:-8]) == b"B3A092AE"
    key = bytes.fromhex("55036372B17543ECB173730768B8D6C4")
    assert encrypt("3des", key, b"1212B04E").hex().upper() == "8B29461A844BA5EC"
    assert encrypt("3des", key, bytes.fromhex("BA1B742DBC7B9CAF")).hex().upper() == "5FE058DB90680D33"
    data = b"6000112018111411003020170930101010120171025000755000000005553"
    assert mac("sm4", bytes.fromhex("12345678901234567890123456789012"), data) == b"1E80F373"


def packed(number, value):
    kind = KINDS[number]
    if kind[0] in "lr":
        digits = value.upper()
        length, odd = len(digits), len(digits) % 2
        digits = digits + "0" * odd if kind[0] == "l" else "0" * odd + digits
        data = bytes.fromhex(digits)
    else:
        data = value.encode() if kind[0] == "a" else bytes.fromhex(value)
        length = len(data)
    prefix = {"": "", "2": f"{length:02}", "3": f"{length:04}"}[kind[1:]]
    return bytes.fromhex(prefix) + data


def message(kind, elements, bits=()):
    """From the message type to before the MAC; `bits` are announced without an element."""
    numbers = sorted(elements)
    bitmap = 0
    for number in [*numbers, *bits, 64]:
        bitmap |= 1 << (64 - number)
    return bytes.fromhex(kind) + bitmap.to_bytes(8, "big") + b"".join(packed(number, elements[number]) for number in numbers)


class Maker:
    def __init__(self, suite):
        self.suite = suite
        self.name = "pos-des" if suite == "des" else "pos-16"
        path = tools().KEYS / f"{self.name}.mac"
        if not path.exists():
            path.write_text("PosMacK1" if suite == "des" else "HanguTerminalK16")
        self.key = path.read_text().encode()

    def signed(self, text, header=HEADER):
        return bytes.fromhex(header) + text + mac(self.suite, self.key, text)

    def write(self, name, body, more, expect="ok"):
        wrong = expect != "ok" or any(line.startswith("verdict") for line in more)
        made = "made with openssl after facts/institutions.md 8" + ("; wrong on purpose" if wrong else "")
        lines = [f"expect: {expect}", f"source: {made}", f"suite: {self.suite}", "encoding: hex", *more]
        tools().write("unionpay-pos", name, lines, body.hex())

    def good(self, name, text, more, **options):
        self.write(name, self.signed(text, **options), [f"key: {self.name}", *more])

    def wrong(self, name, rule, body):
        self.write(f"wrong_{name}", body, [], expect=rule)

    def unverified(self, name, body):
        self.write(f"wrong_{name}", body, [f"key: {self.name}", "verdict: signature.invalid"])


DEBIT = NUMBERS | {2: CARD, 3: "000000", 4: "000000001234", 22: "012", 25: "00", 49: "156"}
STRIPE = {number: DEBIT[number] for number in DEBIT if number != 2} | {22: "021", 26: "06", 35: CARD + "D300112012345678",
                                                                         52: "0123456789abcdef", 53: "2600000000000000"}
CHIP = DEBIT | {22: "051", 14: "3001", 23: "001", 55: "9f2608" + "11223344556677889f2701809f10" + "0307010100"}
BACK = {3: "200000", 37: "000001000002", 60: "25000001000", 61: "0000010000020102"}
ANSWER = NUMBERS | {3: "000000", 4: "000000001234", 12: "183005", 13: "0102", 25: "00", 37: "000001000002", 39: "00", 49: "156"}
SERIAL = f"{MERCHANT}-{TERMINAL}-000001-000002"
DEBIT_LINES = ["payment: operation = debit", "payment: amount = 1234", f"payment: com.serial = {SERIAL}", f"payment: end_to_end_id = {SERIAL}",
               f"payment: initiator = {MERCHANT}-{TERMINAL}"]


def make():
    vectors()
    for suite in ["3des", "des", "sm4", "sm4_bytes"]:
        card = [f"payment: payer.account = {CARD}", "field: 2 = 620000*********0008", "field: 4 = 000000001234"]
        Maker(suite).good(f"debit_{suite}", message("0200", DEBIT), [*DEBIT_LINES, *card])
    maker = Maker("3des")
    maker.good("debit_stripe", message("0200", STRIPE), [*DEBIT_LINES, "field: 35 = (35 characters)", "field: 52 = (16 characters)"])
    maker.good("debit_chip", message("0200", CHIP), [*DEBIT_LINES, "field: 23 = 001", "field: 55 = (44 characters)"])
    maker.good("debit_other_header", message("0200", DEBIT), DEBIT_LINES, header="613100000000")
    maker.good("reversal", message("0400", DEBIT | {39: "98"}), ["payment: operation = cancel", "payment: original.operation = debit",
               f"payment: original.end_to_end_id = {SERIAL}", "payment: cancel_reason = 98"])
    original = ["payment: operation = refund", f"payment: original.end_to_end_id = {SERIAL}", "payment: amount = 1234"]
    maker.good("refund", message("0220", DEBIT | BACK | {11: "000003"}), original)
    maker.good("void", message("0200", DEBIT | BACK | {11: "000004", 60: "23000001000"}), original)
    maker.good("debit_answer", message("0210", ANSWER), ["payment: outcome = success", "payment: amount = 1234"])
    maker.good("debit_answer_poor", message("0210", ANSWER | {39: "51"}), ["payment: outcome = failed insufficient_funds: "])
    maker.good("debit_answer_late", message("0210", ANSWER | {39: "98"}), ["payment: outcome = unknown"])
    unverified(maker)
    wrong(maker)


def unverified(maker):
    text = message("0200", DEBIT)
    body = maker.signed(text)
    maker.unverified("amount_altered", body.replace(bytes.fromhex("000000001234"), bytes.fromhex("000000991234")))
    maker.unverified("trace_altered", body.replace(bytes.fromhex("000002"), bytes.fromhex("000003"), 1))
    maker.unverified("card_altered", body.replace(b"\x62\x00", b"\x62\x01", 1))
    maker.unverified("mac_over_header", bytes.fromhex(HEADER) + text + mac("3des", maker.key, bytes.fromhex(HEADER) + text))
    maker.unverified("mac_lower_case", body[:-8] + body[-8:].lower())
    maker.unverified("mac_of_another_key", bytes.fromhex(HEADER) + text + mac("3des", b"AnotherTerminal!", text))
    maker.unverified("mac_by_sm4", bytes.fromhex(HEADER) + text + mac("sm4", maker.key, text))
    maker.unverified("mac_zero", body[:-8] + bytes(8))
    sm4 = Maker("sm4")
    sm4.unverified("mac_in_bytes", bytes.fromhex(HEADER) + text + mac("sm4_bytes", sm4.key, text))
    reversed_ = maker.signed(message("0400", DEBIT | {39: "98"}))
    maker.unverified("purchase_made_a_reversal", reversed_[:6] + b"\x04\x00" + message("0200", DEBIT | {3: "000000"})[2:] + reversed_[-8:])


def wrong(maker):
    text = message("0200", DEBIT)
    body = maker.signed(text)

    def elements(name, rule, changed, kind="0200", bits=()):
        maker.wrong(name, rule, maker.signed(message(kind, changed, bits)))

    def replaced(name, rule, old, new):
        changed = text.replace(bytes.fromhex(old), bytes.fromhex(new), 1)
        assert changed != text, name
        maker.wrong(name, rule, maker.signed(changed))

    without = lambda *numbers: {number: DEBIT[number] for number in DEBIT if number not in numbers}
    elements("second_bitmap", "iso.bitmap at 1 offset 8", DEBIT, bits=[1])
    elements("bit_of_no_element", "iso.unknown at 5", DEBIT, bits=[5])
    elements("bit_without_element", "iso.text at 54", DEBIT, bits=[54])
    elements("element_of_answers", "iso.unexpected at 39 offset 42", DEBIT | {39: "00"})
    elements("type_unknown", "message.unknown", DEBIT, kind="0100")
    elements("kind_unknown", "message.unknown", DEBIT | {60: "99000001000"})
    elements("condition_unknown", "message.unknown", DEBIT | {25: "06"})
    elements("answer_as_request", "iso.unexpected at 2", DEBIT, kind="0210")
    elements("currency", "field.code at 49", DEBIT | {49: "840"})
    elements("amount_missing", "field.missing at 4", without(4))
    elements("terminal_missing", "field.length at 42/41", without(41))
    elements("trace_missing", "field.length at 42/41/60.2/11", without(11))
    elements("terminal_with_space", "field.charset at 42/41", DEBIT | {41: "T 000001"})
    elements("merchant_with_dash", "field.charset at 42/41", DEBIT | {42: "90000000000000/"})
    elements("merchant_with_control", "iso.text at 42", DEBIT | {42: "90000000000000\n"})
    elements("account_short", "field.length at 2", DEBIT | {2: "620000000008"})
    elements("account_long", "iso.length at 2 offset 16", DEBIT | {2: CARD + "9"})
    elements("account_empty", "iso.length at 2 offset 16", DEBIT | {2: ""})
    elements("account_with_separator", "iso.bcd at 2", DEBIT | {2: "62000000D000000008"})
    elements("stripe_with_letter", "iso.bcd at 35", STRIPE | {35: CARD + "E300112012345678"})
    elements("batch_cut", "iso.part at 60.2", DEBIT | {60: "22000"})
    elements("batch_missing", "field.length at 42/41/60.2/11", DEBIT | {60: "22"})
    elements("refund_without_original", "field.length at 42/41/61.1/61.2", DEBIT | {3: "200000", 60: "25000001000"}, kind="0220")
    replaced("amount_half_byte", "iso.bcd at 4", "000000001234", "00000000123a")
    replaced("entry_mode_filler", "iso.filler at 22", "0120", "0121")
    replaced("length_half_byte", "iso.bcd at 60", "001322000001", "001f22000001")
    replaced("length_in_thousands", "iso.filler at 60", "001322000001", "101322000001")
    replaced("length_over_the_end", "iso.cut at 64", "001322000001", "001822000001")
    replaced("account_filler", "iso.filler at 2", "0080", "0081")
    maker.wrong("trailing", "iso.trailing", body + b"\0")
    maker.wrong("twice", "iso.trailing", body + body)
    maker.wrong("mac_cut", "iso.cut at 64", body[:-1])
    maker.wrong("cut_in_merchant", "iso.cut at 42", body[:60])
    maker.wrong("cut_in_bitmap", "iso.cut at 1", body[:12])
    maker.wrong("cut_in_header", "iso.cut at header", body[:5])
    maker.wrong("chip_over_the_end", "iso.cut at 55",
                maker.signed(message("0200", CHIP).replace(bytes.fromhex("00229f26"), bytes.fromhex("02559f26"))))
    maker.wrong("address_left", "iso.bcd at 3", bytes.fromhex("6000030000") + body)
    maker.wrong("header_letters", "iso.bcd at header", b"\xfa" + body[1:])
    maker.wrong("xml", "iso.bcd at header", b"<xml><total_fee>1234</total_fee></xml>")
    unsigned = text[:2] + bytes([*text[2:9], text[9] & 0xfe]) + text[10:]
    maker.wrong("mac_missing", "field.missing at 64", bytes.fromhex(HEADER) + unsigned)
