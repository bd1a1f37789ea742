'use strict';
const http = require('node:http');

const version = '1';
const { HOST = '127.0.0.1', PORT = '3000', INSTANCE_ID = 'none' } = process.env;
let stopping = false;

const server = http.createServer((request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body) + '\n');
  };
  if (request.url === '/health/live') answer(200, { status: 'alive' });
  else if (request.url === '/health/ready') answer(stopping ? 503 : 200, { status: stopping ? 'not ready' : 'ready' });
  else answer(200, { message: 'Hello from Node.js', version, instance: INSTANCE_ID });
});

server.listen(Number(PORT), HOST, () => console.log(`version ${version} listens on ${HOST}:${PORT}`));

process.on('SIGTERM', () => {
  stopping = true;
  console.log('finishing what was begun');
  server.close(() => process.exit(0));
});
