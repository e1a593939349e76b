"""The far ends: providers' wires over real sockets and real TLS, with faults and a network between."""
