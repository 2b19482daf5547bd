"""Which names announce a secret (I6), by example: a missed one is stored, a wrong one hurts a rollback."""

from __future__ import annotations

import pytest

from ledger.configuration.names import Hint, hint_of

SECRET = """
password PASSWORD dbPassword db_password passwd user_passwd passphrase walletPassphrase secret
SECRET client_secret clientSecret apiSecret api_secret api-secret API_SECRET_KEY apikey apiKey
APIKey api_key X-API-KEY api.key binance_api_key BINANCE_API_SECRET okx_passphrase private_key
privateKey PRIVATE_KEY PRIVATE_KEY_1 private_key2 PrivateKeyHex POLYGON_PRIVATE_KEY signing_key
secret_key SECRETKEY access_key aws_secret_access_key encryption_key mnemonic MNEMONIC
wallet_mnemonic seed_phrase seedPhrase recovery_phrase credentials exchange_credential
access_token accessToken auth_token bot_token TELEGRAM_BOT_TOKEN telegram_token slack_token
refresh_token jwt_token password_hash pin_code totp_secret ssh_key deployer_key infura_key
basic_auth mypassword dbpasswd 密码 api密钥 助记词 api_keys secrets passwords private_keys
""".split()

LIKELY = "token TOKEN bearer auth authorization pass db_pass pwd pin jwt quote_token".split()

NOT_BY_NAME = """
max_tokens tokens token_address token_symbol tokenAddress token_id token_decimals
tokens_per_minute token_bucket key_level keyboard key_levels keylevel public_key publicKey
primary_key foreign_key cache_key idempotency_key partition_key sort_key routing_key hotkey
keyword keywords monkey turkey passive bypass compass pass_rate password_policy
password_min_length passwordless secret_name secret_arn secret_path secrets_manager secretary
private_key_file private_key_path private_key_env PRIVATE_KEY_PATH api_key_id api_key_header
api_key_env access_key_id auth_url auth_mode auth_type auth_enabled author authority authenticated
oauth_scopes token_url token_uri token_ttl token_expiry credentials_file credentials_path
seed_capital seeds speed pinned spin pincer opinion shipping wallet_address account_id
account_type condition_id tx_hash market_id session_timeout session_count cookie_max_age
MAX_POSITION_SIZE TRADE_SIZE DRY_RUN POLYGON_CHAIN_ID POLYGON_RPC_URL levels grid.price symbol
price
""".split()


@pytest.mark.parametrize("name", SECRET)
def test_a_name_that_announces_a_secret(name: str) -> None:
    """I6: whatever its value looks like."""
    assert hint_of(name) is Hint.SECRET


@pytest.mark.parametrize("name", LIKELY)
def test_a_name_that_may_announce_a_secret(name: str) -> None:
    """I6: its value decides, as a token may be a coin."""
    assert hint_of(name) is Hint.LIKELY


@pytest.mark.parametrize("name", NOT_BY_NAME)
def test_a_name_that_announces_none(name: str) -> None:
    """A value that is no secret must be readable in the ledger, and needs nobody to restore it."""
    assert hint_of(name) in {Hint.PLAIN, Hint.HASH, Hint.KEY}
