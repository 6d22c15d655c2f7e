//go:build plant_wall_stamp

package clock

// wallStamp plants a bug for make torture-plants: a node takes its wall clock into account all its
// life, not only at its start.
func wallStamp(c *Clock, now int64) int64 { return max(now, c.source.Wall()) }
