package certs

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// parse returns the certificates of a PEM text, in its order. Other blocks, keys say, are passed over.
func parse(text []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return certs, nil
		}
		if block.Type != typeCertificate {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
}

// Read returns the certificates of a file. The error says which does not work.
func Read(file string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	certs, err := parse(text)
	if err == nil && len(certs) == 0 {
		err = fmt.Errorf("no certificate is in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return certs, nil
}
