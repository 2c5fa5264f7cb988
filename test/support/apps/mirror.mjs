// Answers every request with what it was given: request line, headers, body, and the variables that `weft run` sets.
import { createServer } from 'node:http';

const names = ['APP_ID', 'APP_PORT', 'APP_PROTOCOL', 'DAPR_HTTP_PORT', 'DAPR_GRPC_PORT', 'GREETING'];
const env = Object.fromEntries(names.map((name) => [name, process.env[name]]));
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.url.startsWith('/dapr/')) return response.writeHead(404).end();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body, env }));
});
server.listen(Number(process.env.APP_PORT), '127.0.0.1', () => console.log(`mirror listens on ${process.env.APP_PORT}`));
