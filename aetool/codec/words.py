"""Compression of JSON with a preset dictionary of words that headers, footers and descriptions
often contain.

It makes those of small archives small, and is part of the format: FORMAT.md repeats it.
"""

from __future__ import annotations

import zlib

from aetool.canonical import Json, canonical, parse_canonical
from aetool.codec.limits import MAX_JSON

RAW_DEFLATE = -15  # zlib's window bits of a stream without zlib's own head and checksum

# Read without its line ends. What is most likely stands last: what is near is cheap to point at.
# From top to bottom: lossy tables, pictures, arrays, Arrow tables with what pandas adds, lines of
# JSON, bounds, metas and plans, and then whole headers and descriptions of small archives.
_WORDS_IN_LINES = rb"""
"folders":{"":448},"permissions":[448]
"mode":"RGB","names":["
"quantiser":{"centre":["0x1.p-3"],"kept":[0,1,2],"step":["-0x1."]},"ranges":{
"columns":[{"name":"a","stored":"model"},{"name":"b","stored":"cells"}],"content":["lossy table"
,1],"dtypes":{}
"sections":[["students",["dictionaries",
{"content":["pixels",1],"format":{"format":"npy","name":"x.npy","suffix":".npy"},"mode":"lossles
s","shape":[1,28,28]
{"content":["folder",1],"format":{"format":"folder","name":"
[{},{"arrays":[{"axes":[1],"dtype":"<f8","name":"X","shape":[1000,10]},{"axes":[],"dtype":"<i8",
"name":"y","shape":[1000]}],"content":["arrays",1],"format":{"format":"npz","name":"data.npz","s
uffix":".npz"},"joint":true,"mode":"lossless"}]
"fortran":true,"dtype":"<f4","dtype":"|u1","lead":0,
"type":["dictionary","int8","string",false]},{"name":"
"type":["decimal128",10,2]}
"type":["timestamp","us","UTC"]},
"type":["timestamp","ns"]},
"type":"int32"},{"name":"
"type":"string"},
"type":"bool"},
"type":"date32"},
"type":"float32"},
"required":true,
"compression":"zstd",
[{},{"content":["arrow",1],"format":{"compression":"snappy","format":"parquet","groups":[[1,100]
],"name":"data.parquet","suffix":".parquet"},"mode":"lossless","schema":{"fields":[{"name":"s","
type":"large_string"},{"name":"i","type":"int64"},{"name":"f","type":"float64"}],
"metadata":[["pandas","{\"index_columns\": [{\"kind\": \"range\", \"name\": null, \"start\": 0,
 \"stop\": 10, \"step\": 1}], \"column_indexes\": [{\"name\": null, \"field_name\": null, \"pand
as_type\": \"unicode\", \"numpy_type\": \"object\", \"metadata\": {\"encoding\": \"UTF-8\"}}], \
"columns\": [{\"name\": \"t\", \"field_name\": \"t\", \"pandas_type\": \"datetime\", \"numpy_typ
e\": \"datetime64[ns]\", \"metadata\": null}, {\"name\": \"b\", \"field_name\": \"b\", \"pandas_
type\": \"bool\", \"numpy_type\": \"bool\", \"metadata\": null}, {\"name\": \"s\", \"field_name\
": \"s\", \"pandas_type\": \"object\", \"numpy_type\": \"str\", \"metadata\": null}, {\"name\":
 \"i\", \"field_name\": \"i\", \"pandas_type\": \"int64\", \"numpy_type\": \"int64\", \"metadata
\": null}, {\"name\": \"f\", \"field_name\": \"f\", \"pandas_type\": \"float64\", \"numpy_type\"
: \"float64\", \"metadata\": null}], \"attributes\": {}, \"creator\": {\"library\": \"pyarrow\",
 \"version\": \"26.0.1\"}, \"pandas_version\": \"3.0.0\"}"]]}
{"columns":[{"k":"int"},{"d":0,"f":[0],"k":"number","s":[]},{"k":"level"}],"frames":[[["{\"id\":
 ",", \"name\": ","}\n"],[0,1,2]]]
[{},{"content":["lines",1],"format":{"format":"jsonl","name":"data.jsonl","suffix":".jsonl"},"mo
de":"lossless"}]
[{"errors":{"x":{"largest":0.5},"y":{"largest":0.00
"exact":["
"mode":"bounded"
"each":10,"plans":[
{"k":"whole"},
{"k":"int","z":1},
{"d":1,"k":"real","r":1,"z":1},
{"b":64,"k":"real"},
{"d":2,"k":"real"},
{"k":"int"},{"k":"int"},
{"a":"","k":"date","s":[],"t":"ymd|-| |hms|0||0"},
{"a":"\"","k":"date",
"t":"ymd|-|T|hms|3|Z|0"
"t":"ymd|-|||0||0"
{"a":["\"","\""],"d":0,"f":[0],"k":"number","s":["","nan","-0.0"]},
{"a":[" ",""],"d":0,"f":[0],"k":"number","s":[]},
{"b":[-12,4,4,4,8,16],"k":2,"t":"d","w":[2,2,2,2,3,4],"x":1},
{"b":[0,16,32,64,128],"f":[["o",[1,1,1]],["s",0,[1,1,1]]],"k":32,"l":2,"w":[4,5,6,7],"x":1},
"f":[["m",[1,1],32]],"k":2,
"g":0,"t":"c",
{"b":[0],"w":[1],"x":1},
{"b":[0],"w":[2],"x":1},
{"b":[0],"x":1},
{"b":[1],"t":"d","x":1},
{"b":[0,1],"w":[0,3],"x":1},
{"b":[0,1,1],"k":2,"x":1},
{"columns":[{"k":"level"},{"d":6,"f":[64],"k":"number","s":[]},{"d":1,"f":[1],"k":"number","s":[
""]},{"d":2,"f":[2],"k":"number","s":[]},{"k":"level"},{"d":0,"f":[0],"k":"number","s":[]},{"d":
0,"f":[0],"k":"number","s":[]}],"plans":[{"b":[0],"x":1}]}
{"columns":[{"k":"text"},{"k":"bytes"}],"e":"\r\n","plans":[]}
{"columns":[null,null,null,null],"plans":[null,null,null,null]}
[{"errors":[0,0,1,1,2,3,5]},{"content":["text",1],"format":{"name":"part.csv"},"mode":"bounded",
"shared":1}]
[{},{"content":["text",1],"format":{"name":"part.csv"},"mode":"lossless","shared":1}]
[{},{"content":["bytes",1],"format":{"format":"bytes","name":"data.bin","suffix":".bin"},"mode":
"lossless"}]
[{},{"content":["text",1],"format":{"bom":false,"decimal":".","delimiter":";","final_newline":fa
lse,"format":"csv","header":false,"name":"data.txt","newline":"\r\n","space":true,"suffix":".txt
"},"head":"\u00ef\u00bb\u00bf","mode":"lossless","names":["column 1","column 2"]}]
[{},{"content":["text",1],"format":{"bom":false,"decimal":".","delimiter":" ","final_newline":fa
lse,"format":"csv","header":true,"name":"x","newline":"\n","space":true,"suffix":".txt"},"head":
"
"delimiter":",","final_newline":false,"format":"csv","header":true,"name":"
"newline":"\n","space":false,"suffix":""},"head":"
{"columns":[{"k":"bytes"}],"plans":[]}
[{},{"content":["text",1],"format":{"bom":false,"decimal":".","delimiter":",","final_newline":tr
ue,"format":"csv","header":true,"name":"data.csv","newline":"\n","space":false,"suffix":".csv"},
"head":"time,id,name,","mode":"lossless"}]
"""
WORDS = _WORDS_IN_LINES.replace(b"\n", b"")


def deflate(value: object) -> bytes:
    """Compress a value that JSON can hold: its canonical JSON by raw DEFLATE with WORDS as preset
    dictionary. `inflate` reads it."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, RAW_DEFLATE, 9, zdict=WORDS)
    return squeezer.compress(canonical(value)) + squeezer.flush()


def inflate(data: bytes) -> Json:
    """The value that `deflate` compressed; ValueError for anything else, or more than MAX_JSON
    (2^24) bytes of JSON."""
    inflater = zlib.decompressobj(RAW_DEFLATE, zdict=WORDS)
    try:
        raw = inflater.decompress(data, MAX_JSON)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflater.eof or inflater.unused_data:
        raise ValueError("larger than allowed, or cut short")
    return parse_canonical(raw)
