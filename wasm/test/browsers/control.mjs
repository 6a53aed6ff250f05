// Serves the pages, hears how far everybody is, and says when to stop.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const PATIENCE = 600_000;

export class Control {
  #server = createServer((request, response) => this.#answer(request, response).catch(() => response.writeHead(404).end()));
  #folders;
  /** The last news of each tab or process, of each life that a tab had, and its last word. */
  #news = new Map();
  #lives = new Map();
  #words = new Map();
  #stopped = new Set();
  address;

  /** `folders`: what is served, by the beginning of its path; the longer ones first. */
  static async start(folders) {
    const control = new Control();
    control.#folders = Object.entries(folders);
    control.#server.listen(0, '127.0.0.1');
    await once(control.#server, 'listening');
    control.address = `http://127.0.0.1:${control.#server.address().port}`;
    return control;
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.address);
    if (url.pathname === '/news') {
      const news = JSON.parse(await text(request));
      this.#lives.set(`${news.id}/${news.life}`, news);
      // What a page says while it is reloaded may come late.
      if (!(this.newsOf(news.id)?.life > news.life)) this.#news.set(news.id, news);
      response.end(this.#stopped.has(news.topic) ? 'stop' : 'go on');
    } else if (url.pathname === '/done') {
      this.#words.set(url.searchParams.get('id'), JSON.parse(await text(request)));
      response.end();
    } else {
      const [beginning, folder] = this.#folders.find(([beginning]) => url.pathname.startsWith(beginning));
      const body = await readFile(join(folder, url.pathname.slice(beginning.length)));
      response.writeHead(200, { 'content-type': TYPES[extname(url.pathname)] ?? 'text/plain' }).end(body);
    }
  }

  newsOf = (id) => this.#news.get(id);
  livesOf = (topic) => [...this.#lives.values()].filter((news) => news.topic === topic);
  /** Tells all that write to a topic. */
  stop = (topic) => this.#stopped.add(topic);

  /** Waits until the news are as wanted. */
  async until(id, what, isSo) {
    await patiently(`${id}: ${what}`, () => {
      const news = this.newsOf(id);
      if (news?.failed > 0) throw new Error(`${id}: not all is delivered: ${JSON.stringify(news)}`);
      return news !== undefined && isSo(news);
    }, () => JSON.stringify(this.newsOf(id)));
  }

  async lastWordOf(id) {
    await patiently(`${id}: its last word`, () => this.#words.has(id), () => JSON.stringify(this.newsOf(id)));
    return this.#words.get(id);
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function patiently(what, isSo, state) {
  const deadline = Date.now() + PATIENCE;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}; it is ${state()}`);
    await sleep(50);
  }
}
