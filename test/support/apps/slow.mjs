// Answers late: /wait/<ms>, after that also from another app with /wait/<ms>/<app>, and never with /hang. Ended, it first writes state; one named `rude` ends at once.
import { createServer } from 'node:http';

const api = `http://127.0.0.1:${process.env.DAPR_HTTP_PORT}/v1.0`;
const server = createServer(async (request, response) => {
  const [, what, ms, other] = request.url.split('/');
  if (what === 'dapr') return response.writeHead(404).end();
  console.log(`${process.env.APP_ID} is asked ${request.url}`);
  if (what === 'hang') return;
  await new Promise((done) => setTimeout(done, Number(ms)));
  if (!other) return response.end('done');
  const answer = await fetch(`${api}/invoke/${other}/method/wait/${ms}`);
  response.writeHead(answer.status).end(await answer.text());
});
async function end() {
  const body = JSON.stringify([{ key: 'last', value: 1 }]);
  const headers = { 'content-type': 'application/json' };
  const saved = await fetch(`${api}/state/statestore`, { method: 'POST', body, headers });
  console.log(`${process.env.APP_ID} ends, state: ${saved.status}`);
  process.exit(0);
}
if (process.env.APP_ID !== 'rude') process.on('SIGTERM', end);
server.listen(Number(process.env.APP_PORT), '127.0.0.1');
