package metrics

import (
	"sync"

	"github.com/armon/go-metrics"
	"github.com/armon/go-metrics/prometheus"
	client "github.com/prometheus/client_golang/prometheus"
)

// raftSink returns where Raft and its store count, once for the process, as they have only one place for all.
//
// Both count through the compat layer of hashicorp/go-metrics, which is armon/go-metrics unless the build tag
// hashicorpmetrics is set: so it is that one's global that has to be set.
var raftSink = sync.OnceValue(func() client.Collector {
	// Nothing expires: a counter that is gone and comes back would look like a restart.
	sink, err := prometheus.NewPrometheusSinkFrom(prometheus.PrometheusOpts{Registerer: client.NewRegistry(), Name: "raft"})
	if err != nil {
		panic(err) // of a registry that was empty
	}
	c := metrics.DefaultConfig("")
	c.EnableHostname, c.EnableRuntimeMetrics = false, false
	if _, err := metrics.NewGlobal(c, sink); err != nil {
		panic(err) // it has no other error than a filter's
	}
	return sink
})
