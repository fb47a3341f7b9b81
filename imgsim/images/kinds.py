"""Tells by its name or its first bytes what a file is, and what to do where it is not read."""

from __future__ import annotations

import os
from dataclasses import dataclass

SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".gif", ".bmp", ".dib"}
    | {".webp", ".avif", ".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"}
)

SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@recycle", "@recently-snapshot"}
    | {"@__thumb", "__macosx", "network trash folder", "temporary items", "lost+found"}
    | {"$recycle.bin", "recycler", "recycled", "system volume information", "$windows.~bt"}
)
"""Waste baskets, thumbnails and snapshots of file servers, Macs and Windows, in lower case."""

SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Sizes of the second header of a BMP: two letters alone are the beginning of many a text."""

USUAL_SUFFIX = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "TIFF": ".tif",
    "GIF": ".gif",
    "BMP": ".bmp",
    "WebP": ".webp",
    "JPEG 2000": ".jp2",
    "AVIF": ".avif",
}

CONVERT = "convert {them} to PNG or TIFF"
DEVELOP = "develop {them} to TIFF"
CUT = "cut {their} pages out as PNG or TIFF"
UNPACK = "unpack {them} first"


@dataclass(frozen=True)
class Unread:
    """A kind of file that holds pictures and is not read: its name, and what to do with it."""

    what: str
    step: str

    def advice(self, files: int = 1) -> str:
        """Returns what to do with one file of the kind, or with several."""
        it, its = ("it", "its") if files == 1 else ("them", "their")
        return self.step.format(them=it, their=its)


_JXL, _JXR = Unread("JPEG XL", CONVERT), Unread("JPEG XR", CONVERT)
_HEIC, _FILM = Unread("HEIC", CONVERT), Unread("a film", CONVERT)
_PDF, _DJVU, _PS = Unread("PDF", CUT), Unread("DjVu", CUT), Unread("PostScript", CUT)
_PSD, _SVG = Unread("a Photoshop document", CONVERT), Unread("SVG", CONVERT)
_RAW = Unread("a camera's raw format", DEVELOP)
_NETPBM = Unread("Netpbm", CONVERT)
_ARCHIVE = Unread("an archive", UNPACK)

UNREAD_STARTS = {
    b"\xff\x0a": _JXL,
    b"\0\0\0\x0cJXL ": _JXL,
    b"II\xbc": _JXR,
    b"8BPS": _PSD,
    b"%PDF": _PDF,
    b"AT&TFORM": _DJVU,
    b"%!PS": _PS,
    b"<svg": _SVG,
}
UNREAD_SUFFIXES = (
    dict.fromkeys((".heic", ".heif", ".hif"), _HEIC)
    | {".jxl": _JXL, ".jxr": _JXR, ".wdp": _JXR, ".hdp": _JXR}
    | {".pdf": _PDF, ".djvu": _DJVU, ".djv": _DJVU, ".ps": _PS, ".eps": _PS}
    | {".psd": _PSD, ".psb": _PSD, ".svg": _SVG, ".svgz": _SVG}
    | {".ai": Unread("Illustrator", CONVERT), ".indd": Unread("InDesign", CUT)}
    | {".xcf": Unread("GIMP", CONVERT), ".kra": Unread("Krita", CONVERT)}
    | {".emf": Unread("a Windows metafile", CONVERT), ".wmf": Unread("a Windows metafile", CONVERT)}
    | {".pcx": Unread("PCX", CONVERT), ".tga": Unread("Targa", CONVERT)}
    | {".sgi": Unread("SGI", CONVERT), ".exr": Unread("OpenEXR", CONVERT)}
    | {".hdr": Unread("Radiance", CONVERT), ".fits": Unread("FITS", CONVERT)}
    | {".pict": Unread("PICT", CONVERT), ".pct": Unread("PICT", CONVERT)}
    | {".ico": Unread("an icon", CONVERT), ".icns": Unread("an icon", CONVERT)}
    | {".dcm": Unread("DICOM", CONVERT), ".sid": Unread("MrSID", CONVERT)}
    | {".ecw": Unread("ECW", CONVERT), ".jls": Unread("JPEG-LS", CONVERT)}
    | {".jb2": Unread("JBIG2", CONVERT), ".jbig2": Unread("JBIG2", CONVERT)}
    | dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pam"), _NETPBM)
    | dict.fromkeys((".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2"), _RAW)
    | dict.fromkeys((".dng", ".orf", ".rw2", ".raf", ".pef", ".srw", ".raw", ".rwl"), _RAW)
    | dict.fromkeys((".3fr", ".fff", ".iiq", ".eip", ".mos", ".mrw", ".x3f", ".erf"), _RAW)
    | dict.fromkeys((".zip", ".rar", ".7z", ".tar", ".tgz", ".cbz", ".cbr"), _ARCHIVE)
)

NO_PICTURES = frozenset(
    {".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".html", ".htm", ".css", ".js"}
    | {".xlsx", ".xls", ".ods", ".docx", ".doc", ".odt", ".rtf", ".pptx", ".parquet", ".sqlite"}
    | {".db", ".ini", ".cfg", ".conf", ".log", ".yaml", ".yml", ".toml", ".bib", ".ris", ".tex"}
    | {".py", ".r", ".ipynb", ".sh", ".sql", ".xmp", ".aae", ".md5", ".sha1", ".sha256", ".lnk"}
    | {".url", ".mp3", ".wav", ".mp4", ".mov", ".avi", ".alto", ".hocr", ".pt", ".npy", ".npz"}
)
"""Endings of files that are not even looked at for a picture: a folder may hold very many."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
AVIF = Unread("AVIF", CONVERT)
"""Where Pillow was built without it."""

STRANGERS = {
    b"PK\3\4": "a ZIP archive",
    b"\0\5\x16\7": "a Mac's notes on the file of the same name without ._ (AppleDouble)",
    b"<": "HTML or XML",
}


def suffix_of(name: str) -> str:
    """Returns the ending of a file's name in lower case, with its dot; empty if it has none."""
    return os.path.splitext(name)[1].lower()


def is_named_as_image(name: str) -> bool:
    """Returns whether a file claims to be an image, by its ending."""
    return not is_hidden(name) and suffix_of(name) in SUFFIXES


def is_hidden(name: str) -> bool:
    """Returns whether a name is a hidden one: AppleDouble files (`._1.jpg`) are named so too."""
    return name.startswith(".")


def is_set_aside(folder: str) -> bool:
    """Returns whether a folder of that name is hidden, or belongs to a system or file server."""
    return is_hidden(folder) or folder.lower() in SYSTEM_FOLDERS


def read_by_start(start: bytes) -> str | None:
    """Returns the name of the format that is read and begins with these bytes (32 or more)."""
    # Films and sounds begin with RIFF too.
    if start[:4] == b"RIFF":
        return "WebP" if start[8:12] == b"WEBP" else None
    if start[4:8] == b"ftyp":
        return "AVIF" if start[8:12] in _AVIF_BRANDS else None
    kind = next((kind for sign, kind in SIGNATURES.items() if start.startswith(sign)), None)
    if kind == "BMP" and int.from_bytes(start[14:18], "little") not in BMP_HEADERS:
        return None
    return kind


def unread_by_start(start: bytes) -> Unread | None:
    """Returns the kind that is not read and begins with these bytes."""
    content = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, kind in UNREAD_STARTS.items():
        if start.startswith(signature) or content.startswith(signature):
            return kind
    if start[4:8] == b"ftyp":
        brand = start[8:12]
        return _HEIC if brand in _HEIC_BRANDS else AVIF if brand in _AVIF_BRANDS else _FILM
    return None
