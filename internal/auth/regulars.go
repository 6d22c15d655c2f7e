package auth

// rememberedPairs bounds the regulars: 2 MB at most when full.
const rememberedPairs = 10_000

// regulars remembers which users have logged in from where. It is asked for nothing but which login comes first.
type regulars struct{ memory[pair] }

type pair struct{ addr, user string }

func newRegulars() *regulars {
	return &regulars{memory[pair]{known: newRecent[pair, struct{}](rememberedPairs)}}
}
