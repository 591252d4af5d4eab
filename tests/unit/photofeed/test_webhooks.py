from base64 import b64decode

from photofeed.webhooks import SECRET_PREFIX, new_secret, signature


def test_the_signature_is_the_one_of_the_specification() -> None:
    # the test vector of the Standard Webhooks libraries
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_long_and_differ() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert len(b64decode(one.removeprefix(SECRET_PREFIX))) == 32
