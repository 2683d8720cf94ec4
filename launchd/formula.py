"""`python launchd/formula.py DIST`: put the Homebrew formula for the source archive in a folder beside it."""

import hashlib
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Fill in the archive's address, here, and its digest."""
    [archive] = folder.glob("wilor_sidecar-*.tar.gz")
    template = Path(__file__).with_name("wilor-sidecar.rb").read_text(encoding="utf-8")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    formula = template.replace("@{address}", archive.resolve().as_uri()).replace("@{sha256}", digest)
    (folder / "wilor-sidecar.rb").write_text(formula, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
