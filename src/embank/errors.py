"""Every error that Embank raises on purpose, in one tree.

```
EmbankError
├── UsageError              an argument does not fit: unknown column, task, codec, kind, layer
├── InputError              a user's file cannot be read, or lacks a column
├── ExtraMissingError       an optional dependency is needed and absent
├── EncoderError            an encoder cannot be found, loaded or trusted
│   └── EncoderChangedError   same name, other weights, tokenizer or settings than the bank knows
├── HeadError               a task cannot be fitted, or its head no longer fits the bank
└── BankError               the folder itself
    ├── NotABankError         the folder is not a bank, or does not exist
    ├── BankExistsError       the folder is a bank already
    ├── FormatError           a bank of a newer format version
    ├── BankLockedError       another writer holds it
    ├── StorageFullError      no space is left; what was committed is kept
    └── DamageError           stored bytes are not what the catalogue says
```

A message says what was found, what was expected, and the next step.
"""


class EmbankError(Exception):
    """The root: catch this to catch all that Embank raises on purpose."""


class UsageError(EmbankError):
    """An argument does not fit: an unknown column, task, codec, kind or layer."""


class InputError(EmbankError):
    """A user's file cannot be read, or lacks a column."""


class ExtraMissingError(EmbankError):
    """An optional dependency is needed and absent."""


class EncoderError(EmbankError):
    """An encoder cannot be found, loaded or trusted."""


class EncoderChangedError(EncoderError):
    """The bank knows an encoder of this name that reads texts differently."""


class HeadError(EmbankError):
    """A task cannot be fitted, or its head no longer fits the bank."""


class BankError(EmbankError):
    """Something is wrong with the folder that should be a bank."""


class NotABankError(BankError):
    """The folder is not a bank, or does not exist."""


class BankExistsError(BankError):
    """The folder is a bank already."""


class FormatError(BankError):
    """The bank was written by a newer format version."""


class BankLockedError(BankError):
    """Another writer holds the bank."""


class StorageFullError(BankError):
    """No space is left on the device; what was committed before is kept."""


class DamageError(BankError):
    """Stored bytes are not what the catalogue says they are."""
