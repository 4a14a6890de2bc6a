// Runs an ONNX graph by onnxruntime-web: node web.cjs GRAPH INPUTS prints the outputs as JSON.
//
// INPUTS is a JSON file: by name the type, the sizes and the values of each input; a missing number
// is null.
const fs = require("fs");
const ort = require("onnxruntime-web");

const arrays = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array };

async function run(path, inputs) {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(fs.readFileSync(path), {
    executionProviders: ["wasm"],
  });
  const feeds = {};
  for (const [name, input] of Object.entries(inputs)) {
    const values = arrays[input.type].from(input.values, (value) => (value === null ? NaN : value));
    feeds[name] = new ort.Tensor(input.type, values, input.sizes);
  }
  const results = await session.run(feeds, ["score", "anomaly"]);
  const plain = {};
  for (const [name, tensor] of Object.entries(results)) plain[name] = Array.from(tensor.data);
  console.log(JSON.stringify(plain));
}

run(process.argv[2], JSON.parse(fs.readFileSync(process.argv[3], "utf8"))).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
