"""What pyproject.toml cannot say in every setuptools: the optional C kernel, and the front page
that a package index shows."""

import re
from pathlib import Path

from setuptools import Extension, setup

# Where the files of this folder are to be seen, with a / at its end; "": nowhere in public yet.
REPOSITORY = ""
# What is outside of a code block: [words](target), and ![words](target) of a picture.
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def front_page(readme: str, repository: str = REPOSITORY) -> str:
    """README as a package index can show it, which has none of the files beside it.

    Relative links lead to the repository; without one they become their words, and pictures a line
    that says what would be seen. Links to headings of the page itself become their words, too: an
    index gives headings no names.
    """

    def replaced(link: re.Match[str]) -> str:
        picture, words, target = link.groups()
        if re.match(r"https?://|mailto:", target):
            return link[0]
        if repository and not target.startswith("#"):
            return f"{picture}[{words}]({repository}{target})"
        return f"*(picture: {words})*" if picture else words

    parts = CODE_BLOCK.split(readme)
    parts[::2] = [LINK.sub(replaced, part) for part in parts[::2]]
    return "".join(parts)


if __name__ == "__main__":
    setup(
        long_description=front_page(Path("README.md").read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
        ext_modules=[
            Extension(
                "aetool.codec._kernel",
                ["aetool/codec/_kernel.c"],
                depends=["aetool/codec/_pixels.h"],
                py_limited_api=True,
                optional=True,  # without a compiler the numpy reference does the same work
            )
        ],
        options={"bdist_wheel": {"py_limited_api": "cp311"}},
    )
