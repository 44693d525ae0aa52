// node search.js ROOM.jpg X0,Y0,X1,Y1 [PRODUCT_ID]
const fs = require("node:fs");
const path = require("node:path");
const { promisify } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const protos = process.env.INSITU_PROTOS || path.join(__dirname, "../../protos");
const definition = loader.loadSync("insitu/search/v1/search.proto", { includeDirs: [protos], keepCase: true });
const { SearchService } = grpc.loadPackageDefinition(definition).insitu.search.v1;
const client = new SearchService(
  process.env.INSITU_SEARCH_ADDRESS || "127.0.0.1:50052",
  grpc.credentials.createInsecure(),
  { "grpc.max_send_message_length": 12 * 1024 * 1024, "grpc.max_receive_message_length": 12 * 1024 * 1024 },
);
const call = (method, request) =>
  promisify(client[method]).call(client, request, new grpc.Metadata(), { deadline: Date.now() + 10_000 });

async function main(photo, boxText, productId) {
  // Query 1: the object in the box -> products like it.
  const [x_min, y_min, x_max, y_max] = boxText.split(",").map(Number);
  const image = { image: fs.readFileSync(photo), box: { x_min, y_min, x_max, y_max } };
  const products = await call("SearchProducts", { image, page_size: 5 });
  for (const { product, score } of products.hits) {
    console.log(`product ${product.product_id}  ${score.toFixed(3)}  ${product.title}`);
  }
  // Query 2: a product (by default the best one just found) -> rooms that use it.
  const product_id = productId || products.hits[0].product.product_id;
  const scenes = await call("SearchScenes", { product_id, page_size: 5 });
  for (const { scene, score, regions } of scenes.hits) {
    console.log(`scene ${scene.scene_id}  ${score.toFixed(3)}  ${JSON.stringify(regions[0].region.box)}`);
  }
}

main(...process.argv.slice(2))
  .catch((error) => { console.error(error.details || error.message); process.exitCode = 1; })
  .finally(() => client.close());
