"""EML -> Markdown: subject, sender, date and the text of a mail; attachments are named and not read."""

from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from knowledge.converted import Converted, unix_lines
from knowledge.errors import DamagedDocument, EmptyDocument, EncryptedDocument
from knowledge.markup import html_to_markdown

__all__ = ["from_eml"]

HEADERS = ("from", "to", "subject", "date", "message-id", "received")
SECRET = ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted")


def from_eml(name: str, data: bytes) -> Converted:
    """The plain text of a mail, else its HTML, under its subject, which is the title.

    Raises:
        DamagedDocument: it has no header of a mail.
        EncryptedDocument: it is encrypted.
        EmptyDocument: it has attachments at most.
    """
    message = message_from_bytes(data, policy=policy.default)
    if not any(header in message for header in HEADERS):
        raise DamagedDocument(f"'{name}' has no header of a mail: save the mail again, or rename the file to .txt.")
    if message.get_content_type() in SECRET:
        raise EncryptedDocument(f"'{name}' is an encrypted mail: save a copy that is not, or add its text as .txt.")
    body = _body(message)
    attached = _attached(message)
    if not body:
        raise EmptyDocument(f"'{name}' has no text of its own: add what is attached to it as files.")
    subject = " ".join(str(message["subject"] or "").split())
    blocks = [f"# {subject}" if subject else "", _origin(message), body]
    if attached:
        blocks.append(f"Attachments, not read: {', '.join(attached)}")
    return Converted("\n\n".join(filter(None, blocks)) + "\n", subject)


def _origin(message: EmailMessage) -> str:
    """As in "From: Ann <ann@example.com>; Date: 2026-03-02 10:15 +0100"."""
    sender = " ".join(str(message["from"] or "").split())
    at = message["date"].datetime if message["date"] else None
    date = at.strftime("%Y-%m-%d %H:%M %z").strip() if at else ""
    return "; ".join(f"{label}: {value}" for label, value in (("From", sender), ("Date", date)) if value)


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    text = _text(part)
    return (html_to_markdown(text) if part.get_content_subtype() == "html" else unix_lines(text)).strip()


def _text(part: MIMEPart) -> str:
    """Of a part in a character set that nobody knows, what UTF-8 makes of it."""
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):
        content = part.get_payload(decode=True)
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""


def _attached(message: EmailMessage) -> list[str]:
    parts = message.iter_attachments() if message.is_multipart() else iter(())
    return [" ".join((part.get_filename() or f"a part of {part.get_content_type()}").split()) for part in parts]
