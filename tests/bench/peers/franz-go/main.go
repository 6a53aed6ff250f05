// franz-go, as its own bench does it: a pooled record and a promise for each. Arguments and answer
// are those of the Rust producers (../src/params.rs, ../src/lib.rs).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const keyBytes = 8

type bench struct {
	args     map[string]string
	client   *kgo.Client
	start    time.Time
	values   []byte
	keys     []byte
	size     uint64
	mask     uint64
	keyCount uint64
	threads  uint64
	numbered bool
	pool     sync.Pool

	acked, failed atomic.Uint64
	mutex         sync.Mutex
	latencies     []int64
}

func main() {
	args := map[string]string{}
	for _, argument := range os.Args[1:] {
		name, value, ok := strings.Cut(argument, "=")
		if !ok {
			fail("arguments are name=value")
		}
		args[name] = value
	}
	b := &bench{args: args, start: time.Now()}
	b.pool.New = func() any { return new(kgo.Record) }
	b.load()
	b.connect()
	if warmup := b.number("warmup", 0); warmup > 0 {
		b.send(warmup, 0)
	}
	warm := b.acked.Swap(0)
	b.latencies = b.latencies[:0]

	user, system := cpu()
	begin := time.Now()
	b.send(b.number("records", 1_000_000), b.number("rate", 0))
	seconds := time.Since(begin).Seconds()
	userEnd, systemEnd := cpu()

	var idle any
	if wait := b.number("idle", 0); wait > 0 {
		u, s := cpu()
		time.Sleep(time.Duration(wait) * time.Second)
		uEnd, sEnd := cpu()
		idle = uEnd - u + sEnd - s
	}
	answer, err := json.Marshal(map[string]any{
		"version":    version(),
		"warmup":     warm,
		"acked":      b.acked.Load(),
		"failed":     b.failed.Load(),
		"seconds":    seconds,
		"cpu_user":   userEnd - user,
		"cpu_system": systemEnd - system,
		"peak_rss":   peakRss(),
		"latency_us": b.percentiles(50, 99, 99.9, 100),
		"idle_cpu":   idle,
	})
	check(err)
	fmt.Println(string(answer))
}

func (b *bench) load() {
	var err error
	b.values, err = os.ReadFile(b.args["values"])
	check(err)
	b.size = b.number("size", 100)
	count := uint64(len(b.values)) / b.size
	b.mask = 1<<(bits.Len64(count)-1) - 1
	b.keyCount = b.number("keys", 0)
	for key := range b.keyCount {
		b.keys = fmt.Appendf(b.keys, "%0*d", keyBytes, key)
	}
	b.threads = b.number("threads", 1)
	b.numbered = b.number("numbered", 0) > 0
}

func (b *bench) connect() {
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(b.args["bootstrap"], ",")...),
		kgo.ClientID(b.text("id", "bench")),
		kgo.DefaultProduceTopic(b.args["topic"]),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(time.Duration(b.number("linger", 5)) * time.Millisecond),
		// By default it tries for ever; the others give up after two minutes.
		kgo.RecordDeliveryTimeout(2 * time.Minute),
	}
	switch compression := b.text("compression", "none"); compression {
	case "none":
		options = append(options, kgo.ProducerBatchCompression(kgo.NoCompression()))
	case "lz4":
		options = append(options, kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	default:
		fail("no codec is called " + compression)
	}
	switch batch := b.number("batch", 0); batch {
	case 0:
	case 1:
		// Full by bytes: no second record fits. As an option for all topics it must be 512 at least.
		options = append(options, kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if topic == "" {
				return 512
			}
			return int32(b.size + 100)
		}))
	default:
		options = append(options, kgo.ProducerBatchMaxBytes(int32(batch)))
	}
	if buffer := b.number("buffer", 0); buffer > 0 {
		options = append(options, kgo.MaxBufferedBytes(int(buffer)), kgo.MaxBufferedRecords(10_000_000))
	}
	var err error
	b.client, err = kgo.NewClient(options...)
	check(err)
}

// Sends so many records, or for as long as `seconds` says, and waits for their outcomes.
func (b *bench) send(records, rate uint64) {
	start := time.Now()
	var group sync.WaitGroup
	for thread := range b.threads {
		group.Add(1)
		go func() {
			defer group.Done()
			b.sendShare(thread, start, records, rate)
		}()
	}
	group.Wait()
	check(b.client.Flush(context.Background()))
}

func (b *bench) sendShare(thread uint64, start time.Time, records, rate uint64) {
	ours := func(all uint64) uint64 {
		if all <= thread {
			return 0
		}
		return (all - thread + b.threads - 1) / b.threads
	}
	limit := time.Duration(math.MaxInt64)
	if seconds := b.number("seconds", 0); seconds > 0 {
		limit = time.Duration(seconds) * time.Second
	}
	ctx := context.Background()
	total := ours(records)
	for sent := uint64(0); sent < total; {
		now := time.Since(start)
		if now >= limit {
			break
		}
		// Open loop: what a stall keeps back was due all the same, and its latency counts.
		due := total
		if rate > 0 {
			due = min(total, ours(uint64(now.Microseconds())*rate/1_000_000+1))
		}
		if due <= sent {
			next := time.Duration((thread+sent*b.threads)*1_000_000/rate) * time.Microsecond
			// Go's own timers are a millisecond late.
			pause := syscall.NsecToTimespec(int64(max(next-now, time.Microsecond)))
			_ = syscall.Nanosleep(&pause, nil)
			continue
		}
		for until := min(due, sent+64); sent < until; sent++ {
			number := thread + sent*b.threads
			b.produce(ctx, number, start, rate)
		}
	}
}

func (b *bench) produce(ctx context.Context, number uint64, start time.Time, rate uint64) {
	record := b.pool.Get().(*kgo.Record)
	*record = kgo.Record{Value: b.value(number), Key: b.key(number)}
	if rate == 0 {
		b.client.Produce(ctx, record, b.promise)
		return
	}
	due := start.Add(time.Duration(number*1_000_000/rate) * time.Microsecond)
	b.client.Produce(ctx, record, func(record *kgo.Record, err error) {
		took := time.Since(due).Microseconds()
		b.mutex.Lock()
		b.latencies = append(b.latencies, took)
		b.mutex.Unlock()
		b.promise(record, err)
	})
}

func (b *bench) promise(record *kgo.Record, err error) {
	if err == nil {
		b.acked.Add(1)
	} else {
		b.failed.Add(1)
	}
	b.pool.Put(record)
}

func (b *bench) value(number uint64) []byte {
	start := (number & b.mask) * b.size
	value := b.values[start : start+b.size]
	if !b.numbered {
		return value
	}
	value = slices.Clone(value)
	copy(value, fmt.Sprintf("%010d", number))
	return value
}

func (b *bench) key(number uint64) []byte {
	if b.keyCount == 0 {
		return nil
	}
	spread := number * 0x9e3779b97f4a7c15 >> 32
	start := (spread * b.keyCount >> 32) * keyBytes
	return b.keys[start : start+keyBytes]
}

func (b *bench) percentiles(which ...float64) []int64 {
	found := make([]int64, len(which))
	slices.Sort(b.latencies)
	for i, percent := range which {
		if count := len(b.latencies); count > 0 {
			rank := int(math.Ceil(percent / 100 * float64(count)))
			found[i] = b.latencies[max(rank, 1)-1]
		}
	}
	return found
}

func (b *bench) text(name, otherwise string) string {
	if text, ok := b.args[name]; ok {
		return text
	}
	return otherwise
}

func (b *bench) number(name string, otherwise uint64) uint64 {
	text, ok := b.args[name]
	if !ok {
		return otherwise
	}
	number, err := strconv.ParseUint(text, 10, 64)
	check(err)
	return number
}

func cpu() (user, system float64) {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(time syscall.Timeval) float64 { return float64(time.Sec) + float64(time.Usec)/1e6 }
	return seconds(usage.Utime), seconds(usage.Stime)
}

func peakRss() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			check(err)
			return kib * 1024
		}
	}
	fail("no VmHWM")
	return 0
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/twmb/franz-go" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "error: "+message)
	os.Exit(1)
}
