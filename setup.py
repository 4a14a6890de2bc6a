"""The one thing pyproject.toml cannot say in every setuptools: the optional C kernel."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "aetool.codec._kernel",
            ["aetool/codec/_kernel.c"],
            py_limited_api=True,
            optional=True,  # without a compiler the numpy reference does the same work
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
